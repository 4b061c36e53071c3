//! What goes goes, what is on hold stays, and what is lost is not taken for pruned.

use super::{Pruned, contents_due, records_due};
use crate::log::Log;
use crate::options::Options;
use crate::pack;
use crate::reader::{Cursor, read, read_at};
use crate::samples::{AT, settled};
use crate::view::{Standing, View};
use crate::writer::Ticket;
use crate::{Leaf, tree};
use gatehouse_core::record::Settled;
use std::path::Path;

const DAY: u64 = 86_400_000_000;

/// A call, so many days after the first.
fn on_day(number: u128, day: u64) -> Settled {
    Settled { at: AT + day * DAY, ..settled(number) }
}

fn standing(log: &Log, ticket: Ticket) -> Standing {
    read_at(log.dir(), ticket.at).unwrap().unwrap().payloads(log.subjects()).unwrap()[0].standing
}

fn opened(dir: &Path) -> Log {
    Log::open(&Options { segment_bytes_max: 4_000, ..Options::new(dir) }).unwrap()
}

#[test]
fn texts_go_day_by_day_and_what_is_lost_is_not_taken_for_pruned() {
    let dir = tempfile::tempdir().unwrap();
    let log = opened(dir.path());
    let tickets: Vec<_> =
        (0..4).map(|day| log.append(Leaf::Settled(&on_day(day.into(), day))).unwrap()).collect();
    assert_eq!(pack::list(log.dir()).unwrap().len(), 4);
    assert!(contents_due(log.dir(), AT, None).unwrap().is_empty());

    let due = contents_due(log.dir(), AT + 2 * DAY, None).unwrap();
    assert_eq!((due.until(), due.held), (tickets[2].seq, 0));
    due.carry_out(log.dir()).unwrap();
    std::fs::remove_file(pack::path(log.dir(), tickets[3].seq)).unwrap();
    let now: Vec<_> = tickets.iter().map(|ticket| standing(&log, *ticket)).collect();
    assert_eq!(now, [Standing::Pruned, Standing::Pruned, Standing::Intact, Standing::Missing]);
    assert!(contents_due(log.dir(), AT + 2 * DAY, None).unwrap().is_empty());
    assert_eq!(Pruned::read(log.dir()).unwrap(), Pruned { contents: tickets[2].seq, records: 0 });
}

#[test]
fn what_is_on_hold_stays_until_it_is_released() {
    let dir = tempfile::tempdir().unwrap();
    let log = opened(dir.path());
    let [first, second, third] =
        [1, 2, 3].map(|number| log.append(Leaf::Settled(&on_day(number, 0))).unwrap());
    let held = |view: &View<'_>| view.id == settled(2).call.to_string();
    let prune = || {
        let due = contents_due(log.dir(), AT + DAY, Some(&held)).unwrap();
        due.carry_out(log.dir()).unwrap();
        (due.is_empty(), due.held)
    };
    // The pack is the one that is written: it has to end before.
    log.end_packs(AT + DAY);
    assert_eq!(prune(), (false, 1));
    assert_eq!(
        [first, second, third].map(|ticket| standing(&log, ticket)),
        [Standing::Pruned, Standing::Intact, Standing::Pruned]
    );
    assert_eq!(prune(), (true, 1), "nothing is left to be overwritten");
    let due = contents_due(log.dir(), AT + DAY, Some(&|_| false)).unwrap();
    due.carry_out(log.dir()).unwrap();
    assert_eq!((due.held, standing(&log, second)), (0, Standing::Pruned));
    assert!(pack::list(log.dir()).unwrap().is_empty());
    // A text of the day that came late has a pack of its own.
    let late = log.append(Leaf::Settled(&on_day(4, 0))).unwrap();
    assert_eq!(standing(&log, late), Standing::Intact);
}

#[test]
fn records_go_from_the_begin_of_the_log_and_their_hashes_stay() {
    let dir = tempfile::tempdir().unwrap();
    let log = opened(dir.path());
    let mut sealer = tree::Sealer::open(log.dir(), "r0", Some("log.example")).unwrap();
    for day in 0..30 {
        log.append(Leaf::Settled(&on_day(day.into(), day))).unwrap();
    }
    let mut segments = crate::segment::list_segments(log.dir()).unwrap();
    assert!(segments.len() > 4, "{segments:?}");
    sealer.advance(log.stats().next_seq).unwrap();
    let before = AT + 20 * DAY;
    let held = |view: &View<'_>| view.id == settled(12).call.to_string();
    assert!(records_due(log.dir(), before, 0, None).unwrap().is_empty(), "nothing was signed");
    let due = records_due(log.dir(), before, u64::MAX, Some(&held)).unwrap();
    assert!(due.held && due.first == 0 && due.until <= 13 && !due.is_empty(), "{due:?}");
    due.carry_out(log.dir()).unwrap();
    let due = records_due(log.dir(), before, u64::MAX, None).unwrap();
    due.carry_out(log.dir()).unwrap();
    assert!(!due.held && due.until > 13 && due.until <= 21, "{due:?}");
    segments.retain(|segment| *segment >= due.until);
    assert_eq!(crate::segment::list_segments(log.dir()).unwrap(), segments);

    let left = read(log.dir(), Cursor::default(), usize::MAX).unwrap();
    assert_eq!(View::parse(&left.entries[0].leaf).unwrap().seq, due.until);
    assert_eq!(Pruned::read(log.dir()).unwrap().records, due.until);
    drop((sealer, log));
    // The log goes on, and so does its tree.
    let log = opened(dir.path());
    let ticket = log.append(Leaf::Settled(&on_day(40, 40))).unwrap();
    let mut sealer = tree::Sealer::open(log.dir(), "r0", Some("log.example")).unwrap();
    sealer.advance(ticket.seq + 1).unwrap();
    assert_eq!(ticket.seq, 32);
}
