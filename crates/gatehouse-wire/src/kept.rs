//! Texts that a decoder keeps until it can tell them, with their size: what a provider may send without end
//! has to be counted, and counting must not mean looking at all of it with every frame.

/// What a text costs beside its bytes.
const TEXT_BYTES: usize = size_of::<String>();

/// Texts, and how many bytes they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts {
    all: Vec<String>,
    bytes: usize,
}

// === impl Texts ===

impl Texts {
    /// One more.
    pub(crate) fn push(&mut self, text: String) {
        self.bytes += text.len() + TEXT_BYTES;
        self.all.push(text);
    }

    /// How many bytes they are, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The texts.
    pub(crate) fn all(&self) -> &[String] {
        &self.all
    }
}

impl Extend<String> for Texts {
    fn extend<T: IntoIterator<Item = String>>(&mut self, texts: T) {
        texts.into_iter().for_each(|text| self.push(text));
    }
}

impl FromIterator<String> for Texts {
    fn from_iter<T: IntoIterator<Item = String>>(texts: T) -> Self {
        let mut all = Self::default();
        all.extend(texts);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::{TEXT_BYTES, Texts};

    #[test]
    fn texts_are_counted() {
        let mut texts: Texts = ["ab".to_owned()].into_iter().collect();
        texts.push("c".to_owned());
        assert_eq!((texts.all().len(), texts.bytes()), (2, 3 + 2 * TEXT_BYTES));
    }
}
