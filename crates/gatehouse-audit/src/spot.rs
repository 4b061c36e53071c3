//! Where a text stands: what a leaf's group in its segment says, and nothing that is signed.

/// How a [`Spot`] is written.
pub(crate) const SPOT_BYTES: usize = 8 + 8 + 4;
/// Where one text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The number of its pack.
    pub(crate) pack: u64,
    /// Where its frame begins.
    pub(crate) offset: u64,
    /// How long the sealed text is.
    pub(crate) bytes: u32,
}

// === impl Spot ===

impl Spot {
    /// As it stands in a segment.
    pub(crate) fn written(self) -> [u8; SPOT_BYTES] {
        let mut out = [0; SPOT_BYTES];
        let bytes = self.pack.to_le_bytes().into_iter().chain(self.offset.to_le_bytes());
        out.iter_mut().zip(bytes.chain(self.bytes.to_le_bytes())).for_each(|(to, from)| *to = from);
        out
    }

    /// All spots of a frame; none of one that is no list of spots.
    pub(crate) fn all(frame: &[u8]) -> Option<Vec<Self>> {
        let (spots, rest) = frame.as_chunks::<SPOT_BYTES>();
        let part = |spot: &[u8; SPOT_BYTES], from: usize| {
            spot.get(from..from + 8).and_then(|part| part.try_into().ok()).map(u64::from_le_bytes)
        };
        let spot = |spot: &[u8; SPOT_BYTES]| {
            let bytes = spot.get(16..).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes)?;
            Some(Self { pack: part(spot, 0)?, offset: part(spot, 8)?, bytes })
        };
        rest.is_empty().then(|| spots.iter().map(spot).collect()).flatten()
    }
}
