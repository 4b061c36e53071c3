//! Embeddings: unit vectors that depend on nothing but the text.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// The width when none is asked for.
pub(crate) const DIMENSIONS: u64 = 8;

/// The unit vector of a text.
pub(crate) fn vector(text: &str, dimensions: u64) -> Vec<f32> {
    let raw: Vec<f32> = (0..dimensions).map(|dimension| coordinate(text, dimension)).collect();
    let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
    raw.into_iter().map(|x| x / length).collect()
}

/// The numbers as they are written in JSON: the shortest that give the same `f32` back.
pub(crate) fn written(vector: &[f32]) -> Vec<f64> {
    vector.iter().map(|number| number.to_string().parse().unwrap_or(f64::from(*number))).collect()
}

/// Between -1 and 1, never 0.
fn coordinate(text: &str, dimension: u64) -> f32 {
    let mut hasher = DefaultHasher::new();
    (text, dimension).hash(&mut hasher);
    let [one, two, ..] = hasher.finish().to_le_bytes();
    (f32::from(u16::from_le_bytes([one, two])) + 0.5) / 32_768.0 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_of_length_one_and_repeat() {
        for dimensions in [1, 8, 256] {
            let one = vector("hello", dimensions);
            assert!((one.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
            assert_eq!(one, vector("hello", dimensions));
            assert_ne!(one, vector("world", 8));
        }
    }
}
