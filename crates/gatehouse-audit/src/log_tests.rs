//! Leaves come back, whatever happens in between.

use super::{Log, Options, Status};
use crate::error::LogError;
use crate::event::{Event, EventKind};
use crate::leaf::Leaf;
use crate::pack::Text;
use crate::reader::{Cursor, Entry, read, read_at, shard_dir};
use crate::samples::{self, admitted, settled};
use crate::segment::segment_path;
use crate::unfinished::unfinished;
use crate::view::{Standing, View};
use crate::writer::Ticket;
use gatehouse_core::call::Scope;
use gatehouse_core::record::Settled;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

fn options(dir: &Path) -> Options {
    Options { shard: "t0".to_owned(), ..samples::options(dir) }
}

fn sequence(dir: &Path) -> Vec<u64> {
    let batch = read(dir, Cursor::default(), usize::MAX).unwrap();
    assert!(batch.damage.is_empty());
    batch.entries.iter().map(|entry| View::parse(&entry.leaf).unwrap().seq).collect()
}

fn opened(number: u64) -> Event {
    Event::new(EventKind::ConfigChanged, number)
}

#[tokio::test]
async fn a_call_comes_back_with_its_contents() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(&options(dir.path())).unwrap();
    let mut permit = log.permit().unwrap();
    let first = permit.admitted(&admitted(1)).unwrap();
    let last = permit.settle(&settled(1)).unwrap();
    log.durable(first).await.unwrap();
    log.durable(last).await.unwrap();
    assert_eq!((first.seq, last.seq, log.status()), (1, 2, Status::Healthy));
    let entry = read_at(log.dir(), last.at).unwrap().unwrap();
    let Text::There(sealed) = &entry.contents[0] else { panic!("{:?}", entry.contents) };
    assert!(entry.contents.len() == 1 && !sealed.windows(5).any(|part| part == b"hello"));
    assert_eq!(View::parse(&entry.leaf).unwrap().id, settled(1).call.to_string());
    let kept = entry.payloads(log.subjects()).unwrap();
    assert_eq!(
        (kept[0].text.as_deref(), kept[0].standing, kept[0].role.as_str()),
        (Some("hello"), Standing::Intact, "request")
    );
    assert_eq!((&kept[1].text, kept[1].bytes, kept[1].standing), (&None, 9, Standing::NotKept));
    let stats = log.stats();
    assert_eq!((stats.next_seq, stats.durable_seq, stats.permits_in_use, stats.permits_lost), (3, 3, 0, 0));
}

#[test]
fn what_was_said_is_gone_with_the_key_of_its_subject_and_changed_texts_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(&options(dir.path())).unwrap();
    let mine = log.append(Leaf::Settled(&settled(1))).unwrap();
    let other = log.append(Leaf::Settled(&Settled { scope: Scope::default(), ..settled(2) })).unwrap();
    let entry = |ticket: Ticket| read_at(log.dir(), ticket.at).unwrap().unwrap();
    let standing = |entry: &Entry| entry.payloads(log.subjects()).unwrap()[0].standing;
    let mut changed = entry(mine);
    let Text::There(sealed) = &mut changed.contents[0] else { panic!("{:?}", changed.contents) };
    sealed[0] ^= 1;
    assert_eq!((standing(&entry(mine)), standing(&changed)), (Standing::Intact, Standing::Changed));
    changed.contents.clear();
    assert_eq!(standing(&changed), Standing::Missing);
    let commit = |ticket| entry(ticket).payloads(log.subjects()).unwrap()[0].commit.clone();
    assert_ne!(commit(mine), commit(other), "the same text of two calls");

    assert!(log.subjects().erase(log.subjects().subject(&settled(1).scope)).unwrap());
    assert_eq!((standing(&entry(mine)), standing(&entry(other))), (Standing::Erased, Standing::Intact));
    let dir = log.dir().to_owned();
    drop(log);
    for file in std::fs::read_dir(dir).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(5).any(|part| part == b"hello"), "a text stands in the log");
    }
}

#[test]
fn a_reader_follows_the_writer_across_segments() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(&Options { segment_bytes_max: 2000, ..options(dir.path()) }).unwrap();
    let mut reader = crate::reader::Reader::open(log.dir(), Cursor::default(), crate::Contents::Skip);
    let mut seen = Vec::new();
    for number in 0..40 {
        log.append(Leaf::Settled(&settled(number))).unwrap();
        while let Some(entry) = reader.next().unwrap() {
            seen.push(View::parse(&entry.leaf).unwrap().seq);
        }
    }
    assert_eq!(seen, (0..41).collect::<Vec<_>>());
    assert_eq!(sequence(log.dir()), seen);
    assert!(crate::segment::list_segments(log.dir()).unwrap().len() > 10);
    // From any place on, the rest comes.
    let entries = read(log.dir(), Cursor::default(), usize::MAX).unwrap().entries;
    for (number, entry) in entries.iter().enumerate() {
        let rest = read(log.dir(), entry.at, usize::MAX).unwrap().entries;
        assert_eq!(rest, entries[number..]);
    }
}

/// Tears the last of three groups off at every `step`-th byte, with `zeros` behind, and opens what is left.
fn tear(last: Leaf<'_>, step: usize, zeros: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(&options(dir.path())).unwrap();
    let shard = log.dir().to_owned();
    log.append(Leaf::Event(&opened(1))).unwrap();
    let start = usize::try_from(log.append(last).unwrap().at.offset).unwrap();
    drop(log);
    let path = segment_path(&shard, 0);
    let whole = std::fs::read(&path).unwrap();
    for end in (start..whole.len()).step_by(step) {
        // Zeros at the end are not told from room made ahead.
        let torn = whole[start..end].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        std::fs::write(&path, [&whole[..end], zeros].concat()).unwrap();
        // A reader takes no half group, and what is open is repaired and goes on without a gap.
        assert_eq!(sequence(&shard), [0, 1], "torn at {end}");
        drop(Log::open(&options(dir.path())).unwrap());
        assert_eq!(sequence(&shard), [0, 1, 2], "torn at {end}");
        let last = read(&shard, Cursor::default(), 9).unwrap().entries.pop().unwrap();
        assert!(String::from_utf8(last.leaf).unwrap().contains(&format!("\"torn_bytes\":{torn}")));
        if torn > 0 {
            let aside = path.with_extension(format!("torn-{start}"));
            assert_eq!(std::fs::read(&aside).unwrap(), whole[start..start + torn]);
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                let mode = std::fs::metadata(&aside).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600, "it holds what the log holds");
            }
        }
    }
}

#[test]
fn a_torn_tail_is_repaired_wherever_it_is_torn() {
    tear(Leaf::Event(&opened(2)), 1, &[]);
    // A content and its leaf go together.
    tear(Leaf::Settled(&settled(1)), 31, &[]);
    tear(Leaf::Settled(&settled(1)), 29, &[0; 300_000]);
}

#[test]
fn a_flipped_bit_ends_what_can_be_read_of_a_segment() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(&Options { segment_bytes_max: 3000, ..options(dir.path()) }).unwrap();
    let tickets: Vec<_> = (0..9).map(|n| log.append(Leaf::Settled(&settled(n))).unwrap()).collect();
    let (hit, next) = (tickets[1].at, tickets.iter().find(|ticket| ticket.at.segment > 0).unwrap());
    let path = segment_path(log.dir(), hit.segment);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[usize::try_from(hit.offset).unwrap() + 100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let batch = read(log.dir(), Cursor::default(), usize::MAX).unwrap();
    assert_eq!((batch.damage.len(), batch.damage[0].at), (1, hit));
    assert_eq!(batch.entries[2].at, next.at);
}

#[test]
fn a_segment_that_was_only_begun_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    drop(Log::open(&options(dir.path())).unwrap());
    let shard = shard_dir(dir.path(), "t0");
    std::fs::write(segment_path(&shard, 1), b"GATEH").unwrap();
    drop(Log::open(&options(dir.path())).unwrap());
    assert_eq!(sequence(&shard), [0, 1]);
    std::fs::write(segment_path(&shard, 2), [b'x'; 500]).unwrap();
    assert!(matches!(Log::open(&options(dir.path())), Err(LogError::Damaged { .. })));
}

#[test]
fn one_process_writes() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(&options(dir.path())).unwrap();
    assert!(matches!(Log::open(&options(dir.path())), Err(LogError::Locked { .. })));
    drop(log);
    assert!(Log::open(&options(dir.path())).is_ok());
    for shard in ["", "..", "a/b", ".hidden"] {
        let bad = Options { shard: shard.to_owned(), ..Options::new(dir.path()) };
        assert!(matches!(Log::open(&bad), Err(LogError::BadShard { .. })), "{shard}");
    }
}

#[tokio::test]
async fn many_threads_leave_no_gap_and_all_is_durable() {
    const THREADS: u128 = 8;
    const EACH: u128 = 200;
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(&Options { segment_bytes_max: 100_000, ..options(dir.path()) }).unwrap();
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let log = log.clone();
            std::thread::spawn(move || {
                let numbers = (0..EACH).map(|n| thread * EACH + n);
                numbers.map(|n| log.append(Leaf::Settled(&settled(n))).unwrap()).collect::<Vec<_>>()
            })
        })
        .collect();
    let tickets: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    for ticket in &tickets {
        log.durable(*ticket).await.unwrap();
    }
    let all = u64::try_from(THREADS * EACH).unwrap();
    assert_eq!(sequence(log.dir()), (0..=all).collect::<Vec<_>>());
    assert!(log.stats().syncs < all / 2, "a group commit covers many");
}

#[test]
fn permits_are_bounded_and_a_lost_one_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(&Options { permits_max: 2, ..options(dir.path()) }).unwrap();
    let (one, two) = (log.permit().unwrap(), log.permit().unwrap());
    assert!(matches!(log.permit(), Err(LogError::Full { permits_max: 2 })));
    drop(one);
    assert_eq!((log.stats().permits_in_use, log.stats().permits_lost), (1, 1));
    let three = log.permit().unwrap();
    two.settle(&settled(1)).unwrap();
    three.settle(&settled(2)).unwrap();
    assert_eq!((log.stats().permits_in_use, log.stats().permits_lost), (0, 1));
}

#[test]
fn what_never_ended_is_found_and_can_be_ended() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(&options(dir.path())).unwrap();
    for number in 0..5 {
        log.append(Leaf::Admitted(&admitted(number))).unwrap();
    }
    for number in [0, 2, 3] {
        log.append(Leaf::Settled(&settled(number))).unwrap();
    }
    let open = unfinished(log.dir(), Cursor::default(), log.subjects()).unwrap();
    let first = admitted(1);
    assert_eq!(open.iter().map(|call| call.call).collect::<Vec<_>>(), [first.call, admitted(4).call]);
    let found = &open[0];
    assert_eq!(
        (&found.scope, found.operation, found.surface),
        (&first.scope, Some(first.operation), Some(first.surface))
    );
    assert_eq!((found.reserved, &found.key, found.accepted_at), (first.reserved, &first.key, first.at));
    for call in &open {
        log.append(Leaf::Settled(&call.settlement(call.accepted_at + 7, "00".into()))).unwrap();
    }
    assert!(unfinished(log.dir(), Cursor::default(), log.subjects()).unwrap().is_empty());
    let last = read(log.dir(), Cursor::default(), 99).unwrap().entries.pop().unwrap();
    let view = View::parse(&last.leaf).unwrap();
    assert_eq!((view.cost.nano, view.cost.status.as_ref()), (Some(first.reserved.0), "estimated"));
    assert_eq!((view.result.error.as_ref(), view.timing.total_us), ("interrupted", 7));
}

const CHILD_DIR: &str = "GATEHOUSE_AUDIT_TEST_DIR";

/// Not a test by itself: the process that the next test kills.
#[test]
#[ignore = "run by another test"]
fn child_that_writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let log = Log::open(&options(Path::new(&dir))).unwrap();
    let mut out = std::io::stdout();
    for number in 0.. {
        let ticket = log.append(Leaf::Settled(&settled(number))).unwrap();
        writeln!(out, "\nticket {}", ticket.seq).unwrap();
    }
}

#[test]
fn a_killed_process_loses_no_ticket() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "log::tests::child_that_writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(CHILD_DIR, dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ticket = |line: std::io::Result<String>| {
        line.unwrap().strip_prefix("ticket ").map(|n| n.parse::<u64>().unwrap())
    };
    let mut last = lines.by_ref().filter_map(ticket).nth(500).unwrap();
    child.kill().unwrap();
    // What it had printed before it died, too.
    last = lines.filter_map(ticket).last().unwrap_or(last);
    child.wait().unwrap();
    let shard = shard_dir(dir.path(), "t0");
    let log = Log::open(&options(dir.path())).unwrap();
    let found = sequence(&shard);
    assert_eq!(found, (0..log.stats().next_seq).collect::<Vec<_>>());
    assert!(found.contains(&last) && last >= 500);
}

#[tokio::test]
async fn leaves_are_written_into_room_made_ahead_and_a_closed_log_ends_with_its_last() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(&options(dir.path())).unwrap();
    let path = segment_path(log.dir(), 0);
    let size = || std::fs::metadata(&path).unwrap().len();
    let mut reader = crate::reader::Reader::open(log.dir(), Cursor::default(), crate::Contents::Skip);
    let (mut read, mut grown) = (0, 0);
    for number in 0..6000 {
        let before = size();
        let ticket = log.append(Leaf::Settled(&settled(number))).unwrap();
        grown += u64::from(size() != before);
        log.durable(ticket).await.unwrap();
        while reader.next().unwrap().is_some() {
            read += 1;
        }
    }
    assert_eq!(read, 6001);
    let end = reader.at().offset;
    assert!(end > 3 << 20 && size() > end && grown < 60, "{end} of {}, grown {grown} times", size());
    drop((log, reader));
    assert_eq!(size(), end);
    assert_eq!(sequence(&shard_dir(dir.path(), "t0")), (0..=6000).collect::<Vec<_>>());
}

#[test]
fn room_that_nobody_gave_back_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    drop(Log::open(&options(dir.path())).unwrap());
    let shard = shard_dir(dir.path(), "t0");
    let path = segment_path(&shard, 0);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, [whole.as_slice(), &[0; 5_000]].concat()).unwrap();
    assert_eq!(sequence(&shard), [0]);
    let log = Log::open(&options(dir.path())).unwrap();
    let ticket = log.append(Leaf::Settled(&settled(1))).unwrap();
    assert!(ticket.at.offset < u64::try_from(whole.len()).unwrap() + 1_000, "{ticket:?}");
    drop(log);
    assert_eq!(sequence(&shard), [0, 1, 2]);
    let last = read(&shard, Cursor::default(), 2).unwrap().entries.pop().unwrap();
    assert!(String::from_utf8(last.leaf).unwrap().contains("\"torn_bytes\":0"));
}
