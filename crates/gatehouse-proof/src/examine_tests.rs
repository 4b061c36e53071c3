//! Whatever is done to a log, going through it sees it.

use super::{Examiner, Known};
use crate::checkpoint::Checkpoint;
use crate::hash::Hash;
use crate::leaf::{Facts, lost};
use crate::note::{KEY_BYTES, Scheme, Signature, SignerKey, VerifierKey};
use crate::policy::Policy;
use crate::report::{Report, Verdict};
use crate::tree::Frontier;
use proptest::prelude::*;

const ORIGIN: &str = "gatehouse.example/r0";

fn key(seed: u8) -> SignerKey {
    SignerKey::new(ORIGIN, Scheme::Ed25519, &[seed; KEY_BYTES]).unwrap()
}

fn leaf(seq: u64, second: u64, more: &str) -> Vec<u8> {
    let ts = format!("2026-11-24T00:{:02}:{:02}.000000Z", second / 60, second % 60);
    format!(r#"{{{more}"seq":{seq},"shard":"r0","ts":"{ts}","v":1}}"#).into_bytes()
}

fn call(seq: u64, number: u64, kind: &str) -> Vec<u8> {
    leaf(seq, seq, &format!(r#""id":"00000000-0000-7000-8000-{number:012x}","kind":"{kind}","#))
}

/// Calls one after the other: let in, ended.
fn log(size: u64) -> Vec<Vec<u8>> {
    (0..size)
        .map(|seq| call(seq, seq / 2, if seq % 2 == 0 { "call.admitted" } else { "call.settled" }))
        .collect()
}

fn root(leaves: &[Vec<u8>]) -> Hash {
    let mut frontier = Frontier::default();
    leaves.iter().for_each(|leaf| frontier.push(Hash::of_leaf(leaf), |_, _, _| {}));
    frontier.root()
}

fn signed(leaves: &[Vec<u8>], key: &SignerKey) -> Known {
    let size = u64::try_from(leaves.len()).unwrap();
    let text = Checkpoint { origin: ORIGIN.to_owned(), size, root: root(leaves) }.to_string();
    Known::read(format!("checkpoint-{size}"), format!("{text}\n{}", key.sign(&text, 0)).as_bytes()).unwrap()
}

/// Goes through leaves, with the hashes that the log kept when it was whole.
fn examined(leaves: &[Vec<u8>], stored: &[Vec<u8>], known: Vec<Known>, keys: &[VerifierKey]) -> Report {
    let mut examiner = Examiner::new(ORIGIN, known);
    for (index, leaf) in leaves.iter().enumerate() {
        let stored = stored.get(index).map(|leaf| Hash::of_leaf(leaf));
        examiner.leaf(&Facts::of(leaf), stored, "tile/entries/000", |_, _, _| {});
    }
    examiner.finish(keys, &Policy::default())
}

fn verdict(leaves: &[Vec<u8>], known: Vec<Known>) -> Verdict {
    examined(leaves, &[], known, &[key(1).verifier()]).verdict()
}

#[test]
fn a_whole_log_is_verified_and_what_was_not_looked_at_is_said() {
    let leaves = log(70);
    let known = vec![signed(&leaves[..40], &key(1)), signed(&leaves, &key(1))];
    let report = examined(&leaves, &leaves, known, &[key(1).verifier()]);
    assert_eq!((report.verdict(), report.findings.len()), (Verdict::Verified, 0), "{report:?}");
    assert_eq!((report.size, report.root), (70, Some(root(&leaves))));
    assert_eq!(report.checkpoints.len(), 2);
    assert_eq!(report.newest, Some(1_795_478_469_000_000));
    assert!(report.unchecked[0].contains("no witness"), "{report:?}");
}

#[test]
fn calls_without_an_end_and_gaps_are_listed() {
    let mut leaves = log(4);
    leaves.push(call(4, 9, "call.admitted"));
    leaves.push(leaf(5, 5, r#""event":{"lost_first":2,"lost_last":3},"kind":"gap.declared","#));
    let report = examined(&leaves, &[], vec![signed(&leaves, &key(1))], &[key(1).verifier()]);
    assert_eq!(report.verdict(), Verdict::Verified);
    assert_eq!((report.unfinished, report.gaps), (vec![4], vec![5]));
}

#[test]
fn leaves_that_are_missing_have_to_be_declared() {
    let mut leaves = log(4);
    leaves.push(leaf(4, 4, r#""event":{"lost_first":1,"lost_last":1},"kind":"gap.declared","#));
    leaves[1] = lost("r0", 1);
    let run = |missing: &[usize]| {
        let mut examiner = Examiner::new(ORIGIN, vec![signed(&leaves, &key(1))]);
        for (index, leaf) in leaves.iter().enumerate() {
            if missing.contains(&index) {
                examiner.absent(Hash::of_leaf(leaf), |_, _, _| {});
            } else {
                examiner.leaf(&Facts::of(leaf), None, "f", |_, _, _| {});
            }
        }
        examiner.finish(&[key(1).verifier()], &Policy::default())
    };
    assert_eq!(run(&[]).verdict(), Verdict::Verified);
    assert_eq!(run(&[1]).verdict(), Verdict::Verified);
    let undeclared = run(&[1, 2]);
    assert_eq!(undeclared.verdict(), Verdict::Incomplete);
    assert!(undeclared.findings[0].says.contains("leaf 2 is missing"), "{undeclared:?}");
}

#[test]
fn a_changed_leaf_is_named_and_without_tiles_the_checkpoints_say_between_which() {
    let whole = log(60);
    let known =
        || vec![signed(&whole[..20], &key(1)), signed(&whole[..40], &key(1)), signed(&whole, &key(1))];
    let mut changed = whole.clone();
    changed[30] = call(30, 15, "call.settled");
    let keys = [key(1).verifier()];
    let with_tiles = examined(&changed, &whole, known(), &keys);
    let first = &with_tiles.findings[0];
    assert_eq!((with_tiles.verdict(), first.index), (Verdict::Tampered, Some(30)), "{with_tiles:?}");
    assert_eq!(first.expected, Some(Hash::of_leaf(&whole[30])));
    let without = examined(&changed, &[], known(), &keys);
    assert!(without.findings[0].says.contains("the leaves from 20 to 39"), "{without:?}");
}

#[test]
fn a_cut_tail_is_incomplete_and_leaves_beyond_the_checkpoint_are_said_to_be() {
    let whole = log(50);
    let cut = examined(&whole[..44], &[], vec![signed(&whole, &key(1))], &[key(1).verifier()]);
    assert_eq!((cut.verdict(), cut.findings[0].index), (Verdict::Incomplete, Some(44)), "{cut:?}");
    let more = examined(&whole, &[], vec![signed(&whole[..44], &key(1))], &[key(1).verifier()]);
    assert_eq!(more.verdict(), Verdict::Verified);
    assert!(more.unchecked.iter().any(|says| says.contains("6 leaves from 44")), "{more:?}");
}

#[test]
fn a_checkpoint_of_a_stranger_proves_nothing_and_a_forged_one_is_one() {
    let leaves = log(9);
    assert_eq!(verdict(&leaves, vec![signed(&leaves, &key(2))]), Verdict::Unverifiable);
    assert_eq!(verdict(&leaves, vec![]), Verdict::Unverifiable);
    let text = signed(&leaves, &key(1)).note.text;
    let forged = format!("{}\n{}", text, key(1).sign("another text\n", 0));
    assert_eq!(verdict(&leaves, vec![Known::read("c", forged.as_bytes()).unwrap()]), Verdict::Tampered);
    let other = SignerKey::new("somebody", Scheme::Ed25519, &[1; KEY_BYTES]).unwrap();
    let text = Checkpoint { origin: "somebody".to_owned(), size: 9, root: root(&leaves) }.to_string();
    let foreign = Known::read("c", format!("{text}\n{}", other.sign(&text, 0)).as_bytes()).unwrap();
    assert_eq!(verdict(&leaves, vec![foreign, signed(&leaves, &key(1))]), Verdict::Unverifiable);
}

#[test]
fn an_epoch_hands_its_trust_on_only_by_its_own_end() {
    let closing = |seq: u64| {
        leaf(seq, seq, &format!(r#""event":{{"next_key":"{}"}},"kind":"epoch.closed","#, key(2).verifier()))
    };
    let mut leaves = log(10);
    leaves.push(closing(10));
    let end = signed(&leaves, &key(1));
    leaves.extend((11..20).map(|seq| call(seq, seq, "call.settled")));
    let keys = [key(1).verifier()];
    let later = || signed(&leaves, &key(2));
    assert_eq!(examined(&leaves, &[], vec![end.clone(), later()], &keys).verdict(), Verdict::Verified);
    let first_of_next = signed(&leaves[..11], &key(2));
    let at_once = vec![first_of_next, end.clone(), later()];
    assert_eq!(examined(&leaves, &[], at_once, &keys).verdict(), Verdict::Verified);
    // Without the end of the epoch, signed with its own key, nobody vouches for the next one.
    assert_eq!(examined(&leaves, &[], vec![later()], &keys).verdict(), Verdict::Unverifiable);
    let by_itself = signed(&leaves[..11], &key(2));
    assert_eq!(examined(&leaves, &[], vec![by_itself, later()], &keys).verdict(), Verdict::Unverifiable);
    // The old key says nothing for a log that it closed, but nobody else does either: it was destroyed.
    assert_eq!(
        examined(&leaves, &[], vec![end, signed(&leaves, &key(3))], &keys).verdict(),
        Verdict::Unverifiable
    );
}

#[test]
fn a_clock_that_goes_back_is_told() {
    let mut leaves = log(5);
    leaves.push(leaf(5, 600, r#""kind":"log.opened","#));
    leaves.push(leaf(6, 6, r#""kind":"log.opened","#));
    let report = examined(&leaves, &[], vec![signed(&leaves, &key(1))], &[key(1).verifier()]);
    assert_eq!(report.verdict(), Verdict::Verified);
    assert!(report.findings[0].says.contains("went back by 594 s at leaf 6"), "{report:?}");
}

proptest! {
    /// Whatever is done to the leaves of a signed log, it is seen.
    #[test]
    fn no_change_of_a_signed_log_goes_unseen(
        size in 2usize..60, at in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), how in 0u8..5, bit in 0u8..8,
    ) {
        let whole = log(u64::try_from(size).unwrap());
        let known = vec![signed(&whole[..size / 2], &key(1)), signed(&whole, &key(1))];
        prop_assert_eq!(verdict(&whole, known.clone()), Verdict::Verified);
        let (at, to) = (at.index(size), to.index(size));
        let mut changed = whole.clone();
        match how {
            0 => {
                let byte = to % changed[at].len();
                changed[at][byte] ^= 1 << bit;
            }
            1 => drop(changed.remove(at)),
            2 => changed.swap(at, to),
            3 => changed.insert(to, whole[at].clone()),
            _ => changed.insert(to, call(u64::try_from(to).unwrap(), 77, "call.settled")),
        }
        prop_assume!(changed != whole);
        prop_assert_ne!(verdict(&changed, known), Verdict::Verified);
    }

    /// Two logs of one key that say different things are told apart by whoever has a checkpoint of each.
    #[test]
    fn a_split_view_is_seen(size in 2usize..60, at in any::<prop::sample::Index>()) {
        let one = log(u64::try_from(size).unwrap());
        let mut other = one.clone();
        let at = at.index(size);
        other[at] = call(u64::try_from(at).unwrap(), 500, "call.denied");
        let report = examined(&one, &one, vec![signed(&one, &key(1)), signed(&other, &key(1))], &[key(1).verifier()]);
        prop_assert_eq!(report.verdict(), Verdict::Tampered);
    }
}

/// Checkpoints of the first leaves of a log, each cosigned by some witnesses, gone through under a policy of all.
fn witnessed(whole: &[Vec<u8>], cosigned: &[(usize, &[&SignerKey])], asked: &[&SignerKey]) -> Report {
    let mut known = vec![signed(whole, &key(1))];
    for (size, witnesses) in cosigned {
        let mut one = signed(&whole[..*size], &key(1));
        for witness in *witnesses {
            one.note.add(Signature::parse(witness.sign(&one.note.text, 7).trim_end()).unwrap());
        }
        one.name = format!("anchored-{size}");
        known.push(one);
    }
    let mut examiner = Examiner::new(ORIGIN, known);
    whole.iter().for_each(|leaf| examiner.leaf(&Facts::of(leaf), None, "f", |_, _, _| {}));
    let policy = Policy::all_of(asked.iter().map(|key| key.verifier()).collect());
    examiner.finish(&[key(1).verifier()], &policy)
}

#[test]
fn witnesses_vouch_for_a_log_under_different_checkpoints() {
    let witness = |name: &str, seed| SignerKey::new(name, Scheme::Cosignature, &[seed; KEY_BYTES]).unwrap();
    let (a, b) = (witness("a", 7), witness("b", 8));
    let whole = log(60);
    let both = witnessed(&whole, &[(20, &[&a]), (40, &[&b]), (60, &[&a])], &[&a, &b]);
    assert_eq!(both.verdict(), Verdict::Verified, "{both:?}");
    let told: Vec<_> = both.witnesses.iter().map(|one| (one.name.as_str(), one.size, one.at)).collect();
    assert_eq!(told, [("a", 60, 7), ("b", 40, 7)]);
    assert!(both.unchecked.iter().any(|says| says.contains("the first 40 leaves")), "{both:?}");
    let one = witnessed(&whole, &[(60, &[&a])], &[&a, &b]);
    assert_eq!((one.verdict(), one.witnesses.len()), (Verdict::Unverifiable, 1), "{one:?}");
    // Another key of the same name and number of a line: forged. Of another number: nobody's.
    let mut forged = signed(&whole, &key(1));
    let line = witness("a", 7).sign("another text\n", 7);
    forged.note.add(Signature::parse(line.trim_end()).unwrap());
    let mut examiner = Examiner::new(ORIGIN, vec![forged]);
    whole.iter().for_each(|leaf| examiner.leaf(&Facts::of(leaf), None, "f", |_, _, _| {}));
    let report = examiner.finish(&[key(1).verifier()], &Policy::all_of(vec![a.verifier()]));
    assert_eq!(report.verdict(), Verdict::Tampered, "{report:?}");
    assert!(report.findings.iter().any(|one| one.says.contains("of the witness a")), "{report:?}");
    let stranger = witnessed(&whole, &[(60, &[&witness("a", 9)])], &[&a]);
    assert_eq!(stranger.verdict(), Verdict::Unverifiable, "{stranger:?}");
}

#[test]
fn a_cosigned_checkpoint_of_another_log_vouches_for_nothing() {
    let witness = SignerKey::new("a", Scheme::Cosignature, &[7; KEY_BYTES]).unwrap();
    let whole = log(60);
    let mut other = whole.clone();
    other[3] = call(3, 1, "call.failed");
    let mut one = signed(&other[..40], &key(1));
    one.note.add(Signature::parse(witness.sign(&one.note.text, 7).trim_end()).unwrap());
    let mut examiner = Examiner::new(ORIGIN, vec![signed(&whole, &key(1)), one]);
    whole.iter().for_each(|leaf| examiner.leaf(&Facts::of(leaf), None, "f", |_, _, _| {}));
    let report = examiner.finish(&[key(1).verifier()], &Policy::all_of(vec![witness.verifier()]));
    assert_eq!((report.verdict(), report.witnesses.len()), (Verdict::Tampered, 0), "{report:?}");
}
