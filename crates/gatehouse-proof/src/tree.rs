//! The shape of the tree: RFC 6962, section 2.1, where a tree of *n* leaves is split at the largest power of two
//! below *n*. Every proof is made of hashes of *perfect* subtrees, whose leaves are a power of two in number and
//! begin at a multiple of it: these never change once they are whole, and are what a log keeps.

use crate::hash::Hash;

/// Where the hashes of perfect subtrees come from.
pub trait Nodes {
    /// What may go wrong.
    type Error;

    /// The hash of the subtree over the leaves from `index << level` to `(index + 1) << level`, not included.
    ///
    /// # Errors
    /// When it cannot be had.
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// The right edge of a growing tree: one hash for each one in the binary form of its size. Enough to add leaves and
/// to know the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// The largest subtree first.
    roots: Vec<Hash>,
}

/// Leaves from `begin` to `end`, not included.
#[derive(Clone, Copy, Debug)]
struct Span {
    begin: u64,
    end: u64,
}

// === impl Frontier ===

impl Frontier {
    /// The edge of a tree that is kept elsewhere.
    ///
    /// # Errors
    /// When a hash cannot be had.
    pub fn load<N: Nodes>(size: u64, nodes: &N) -> Result<Self, N::Error> {
        let mut roots = Vec::new();
        let mut begin = 0;
        for level in (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1) {
            roots.push(nodes.node(level, begin >> level)?);
            begin += 1 << level;
        }
        Ok(Self { size, roots })
    }

    /// How many leaves there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf. Each subtree that it makes whole, itself the first, is told with its level and index.
    pub fn push(&mut self, leaf: Hash, mut completed: impl FnMut(u32, u64, Hash)) {
        let (mut level, mut index, mut hash) = (0, self.size, leaf);
        completed(level, index, hash);
        while index & 1 == 1
            && let Some(left) = self.roots.pop()
        {
            hash = Hash::of_children(&left, &hash);
            level += 1;
            index >>= 1;
            completed(level, index, hash);
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The hash of the whole tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut from_the_right = self.roots.iter().rev().copied();
        let Some(last) = from_the_right.next() else { return Hash::of_nothing() };
        from_the_right.fold(last, |right, left| Hash::of_children(&left, &right))
    }
}

// === impl Span ===

impl Span {
    fn len(self) -> u64 {
        self.end - self.begin
    }

    /// The left part, of the largest power of two below the length, and the right one.
    fn halves(self) -> (Self, Self) {
        let left = self.len().next_power_of_two() / 2;
        let middle = self.begin + left;
        (Self { begin: self.begin, end: middle }, Self { begin: middle, end: self.end })
    }

    fn hash<N: Nodes>(self, nodes: &N) -> Result<Hash, N::Error> {
        let len = self.len();
        // Spans come of halving a tree, so what has such a length also begins at a multiple of it.
        if len.is_power_of_two() {
            return nodes.node(len.ilog2(), self.begin / len);
        }
        if len == 0 {
            return Ok(Hash::of_nothing());
        }
        let (left, right) = self.halves();
        Ok(Hash::of_children(&left.hash(nodes)?, &right.hash(nodes)?))
    }
}

/// The hash of a perfect subtree, of the hashes of a row of it: a power of two in number; `None` for other numbers.
#[must_use]
pub fn of_row(mut row: Vec<Hash>) -> Option<Hash> {
    if !row.len().is_power_of_two() {
        return None;
    }
    while row.len() > 1 {
        let pairs = row.chunks_exact(2).filter_map(|pair| match pair {
            [left, right] => Some(Hash::of_children(left, right)),
            _ => None,
        });
        row = pairs.collect();
    }
    row.pop()
}

/// The hash of the tree over the first `size` leaves.
///
/// # Errors
/// When a hash cannot be had.
pub fn root<N: Nodes>(size: u64, nodes: &N) -> Result<Hash, N::Error> {
    Span { begin: 0, end: size }.hash(nodes)
}

/// The proof that the leaf at `index` is in the tree over the first `size` leaves, which are more than `index`: from
/// the leaf's sibling up (RFC 6962, section 2.1.1).
///
/// # Errors
/// When a hash cannot be had.
pub fn inclusion<N: Nodes>(index: u64, size: u64, nodes: &N) -> Result<Vec<Hash>, N::Error> {
    let mut path = Vec::new();
    let mut span = Span { begin: 0, end: size };
    while span.len() > 1 {
        let (left, right) = span.halves();
        let (inside, beside) = if index < left.end { (left, right) } else { (right, left) };
        path.push(beside.hash(nodes)?);
        span = inside;
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree over the first `new` leaves only adds to that over the first `old`, which are not more
/// (RFC 6962, section 2.1.2).
///
/// # Errors
/// When a hash cannot be had.
pub fn consistency<N: Nodes>(old: u64, new: u64, nodes: &N) -> Result<Vec<Hash>, N::Error> {
    let mut path = Vec::new();
    if old == 0 || old >= new {
        return Ok(path);
    }
    let mut span = Span { begin: 0, end: new };
    while span.end != old {
        let (left, right) = span.halves();
        let (inside, beside) = if old <= left.end { (left, right) } else { (right, left) };
        path.push(beside.hash(nodes)?);
        span = inside;
    }
    // Who knows the old root knows the hash of a span that begins where the tree does.
    if span.begin > 0 {
        path.push(span.hash(nodes)?);
    }
    path.reverse();
    Ok(path)
}

/// Whether a proof shows that a leaf of this hash is at `index` in a tree of this size and root (RFC 9162, section
/// 2.1.3.2).
#[must_use]
pub fn is_included(leaf: &Hash, index: u64, size: u64, root: &Hash, path: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for beside in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = Hash::of_children(beside, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = Hash::of_children(&hash, beside);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether a proof shows that a tree of `new` leaves and this root only adds to one of `old` leaves and that root
/// (RFC 9162, section 2.1.4.2).
#[must_use]
pub fn is_consistent(old: (u64, &Hash), new: (u64, &Hash), path: &[Hash]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size > new_size {
        return false;
    }
    if old_size == new_size {
        return path.is_empty() && old_root == new_root;
    }
    if old_size == 0 {
        return path.is_empty() && *old_root == Hash::of_nothing();
    }
    let mut steps = path.iter();
    let first = if old_size.is_power_of_two() { Some(old_root) } else { steps.next() };
    let Some(first) = first else { return false };
    let shift = (old_size - 1).trailing_ones();
    let (mut node, mut last) = ((old_size - 1) >> shift, (new_size - 1) >> shift);
    let (mut old_hash, mut new_hash) = (*first, *first);
    for beside in steps {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_hash = Hash::of_children(beside, &old_hash);
            new_hash = Hash::of_children(beside, &new_hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            new_hash = Hash::of_children(&new_hash, beside);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
