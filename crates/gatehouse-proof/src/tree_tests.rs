//! The laws of the tree, against its definition.

use super::{Frontier, Nodes, consistency, inclusion, is_consistent, is_included, root};
use crate::hash::Hash;
use proptest::prelude::*;
use std::convert::Infallible;

/// A log in memory that hashes by the definition, and by no other way.
struct Leaves(Vec<Hash>);

impl Leaves {
    fn of(size: u64) -> Self {
        Self((0..size).map(|n| Hash::of_leaf(&n.to_be_bytes())).collect())
    }

    /// RFC 6962, section 2.1, word for word.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of_nothing(),
            [one] => *one,
            many => {
                let split = many.len().next_power_of_two() / 2;
                let (left, right) = many.split_at(split);
                Hash::of_children(&Self::by_definition(left), &Self::by_definition(right))
            }
        }
    }

    fn root(&self, size: u64) -> Hash {
        Self::by_definition(&self.0[..usize::try_from(size).unwrap()])
    }
}

impl Nodes for Leaves {
    type Error = Infallible;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
        let at = |index: u64| usize::try_from(index << level).unwrap();
        Ok(Self::by_definition(&self.0[at(index)..at(index + 1)]))
    }
}

fn hex(text: &str) -> Hash {
    let digit = |at: usize| char::from(text.as_bytes()[at]).to_digit(16).unwrap();
    Hash(std::array::from_fn(|at| u8::try_from(digit(2 * at) << 4 | digit(2 * at + 1)).unwrap()))
}

/// The eight leaves and the roots that the test vectors of Certificate Transparency's implementations share.
#[test]
fn the_roots_are_those_of_the_known_vectors() {
    let leaves: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::default();
    assert_eq!(frontier.root(), hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    for (leaf, root) in leaves.into_iter().zip(roots) {
        frontier.push(Hash::of_leaf(leaf), |_, _, _| {});
        assert_eq!(frontier.root(), hex(root));
    }
}

proptest! {
    /// Adding leaf by leaf, loading an edge, and the definition agree; every whole subtree is told once and truly.
    #[test]
    fn one_tree_by_three_ways(size in 0u64..200) {
        let leaves = Leaves::of(size);
        let (mut frontier, mut told) = (Frontier::default(), 0);
        for leaf in &leaves.0 {
            frontier.push(*leaf, |level, index, hash| {
                told += 1;
                assert_eq!(Ok(hash), leaves.node(level, index));
            });
        }
        let whole = (0..u64::BITS).map(|level| size >> level).sum::<u64>();
        prop_assert_eq!(told, whole);
        prop_assert_eq!(frontier.root(), leaves.root(size));
        prop_assert_eq!(root(size, &leaves).unwrap(), leaves.root(size));
        prop_assert_eq!(&Frontier::load(size, &leaves).unwrap(), &frontier);
    }

    /// A leaf is proved where it is, and nowhere else, by nothing but its proof.
    #[test]
    fn inclusion_is_proved_for_what_is_there(size in 1u64..150, at in any::<prop::sample::Index>(), other in 0u64..150, cut in 0usize..9) {
        let leaves = Leaves::of(size);
        let index = u64::try_from(at.index(leaves.0.len())).unwrap();
        let leaf = Hash::of_leaf(&index.to_be_bytes());
        let path = inclusion(index, size, &leaves).unwrap();
        let root = leaves.root(size);
        prop_assert!(is_included(&leaf, index, size, &root, &path));
        prop_assert_eq!(is_included(&leaf, other, size, &root, &path), other == index);
        prop_assert!(!is_included(&Hash::of_leaf(b"invented"), index, size, &root, &path));
        let mut wrong = path.clone();
        wrong.push(root);
        prop_assert!(!is_included(&leaf, index, size, &root, &wrong));
        if !path.is_empty() {
            let cut = cut % path.len();
            wrong = path.clone();
            wrong.remove(cut);
            prop_assert!(!is_included(&leaf, index, size, &root, &wrong));
            wrong = path;
            wrong[cut].0[0] ^= 1;
            prop_assert!(!is_included(&leaf, index, size, &root, &wrong));
        }
    }

    /// Growth is proved, and a tree whose past was changed is not.
    #[test]
    fn consistency_is_proved_for_what_only_grew(new in 1u64..150, old in 0u64..150, changed in 0u64..150, bit in any::<u8>()) {
        let old = old % (new + 1);
        let leaves = Leaves::of(new);
        let path = consistency(old, new, &leaves).unwrap();
        let (old_root, new_root) = (leaves.root(old), leaves.root(new));
        prop_assert!(is_consistent((old, &old_root), (new, &new_root), &path));
        if old < new {
            prop_assert!(!is_consistent((new, &new_root), (old, &old_root), &path));
        }
        if old > 0 {
            let mut forked = Leaves::of(new);
            let at = usize::try_from(changed % old).unwrap();
            forked.0[at].0[0] ^= 1;
            let (path_of_fork, fork) = (consistency(old, new, &forked).unwrap(), forked.root(new));
            prop_assert!(!is_consistent((old, &old_root), (new, &fork), &path_of_fork));
            prop_assert!(!is_consistent((old, &old_root), (new, &fork), &path));
        }
        if !path.is_empty() {
            let mut wrong = path;
            let at = usize::from(bit) % wrong.len();
            wrong[at].0[31] ^= 1;
            prop_assert!(!is_consistent((old, &old_root), (new, &new_root), &wrong));
            wrong.remove(at);
            prop_assert!(!is_consistent((old, &old_root), (new, &new_root), &wrong));
        }
    }
}
