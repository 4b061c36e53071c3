//! What a sink sends again, after whatever failed: the same, under the same id, and of the log that is there.

use crate::house::House;
use crate::provider::Provider;
use crate::sinks::{PATIENCE, Receiver, hello};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

async fn until(mut fits: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !fits() {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn webhook(address: &str) -> String {
    format!("record: {{ sinks: [{{ name: siem, webhook: \"{address}\", batch: 4, every: 100ms }}] }}\n")
}

#[tokio::test]
async fn a_batch_without_an_answer_comes_again_as_it_was_and_nobody_waits_for_it() {
    let provider = Provider::start().await;
    let (receiver, address) = Receiver::start(&[]).await;
    receiver.hangs.store(true, Ordering::Release);
    let house = House::start(&provider.config(&webhook(&address))).await;
    until(|| !receiver.got.lock().unwrap().is_empty()).await;
    // More than fit into the batch that is under way.
    for _ in 0..5 {
        assert_eq!(house.call(hello()).await.status, 200);
    }
    let house = house.crash_and_restart().await;
    until(|| receiver.got.lock().unwrap().len() > 1).await;
    {
        let got = receiver.got.lock().unwrap();
        let of = |at: usize| (got[at].headers["webhook-id"].clone(), got[at].body.clone());
        assert_eq!(of(0), of(1));
    }
    // Nor does the end of the process wait for who hangs.
    house.signal("TERM");
    assert!(house.ended().await.success());
}

#[tokio::test]
async fn two_gateways_do_not_overwrite_each_other() {
    let provider = Provider::start().await;
    let (receiver, address) = Receiver::start(&[]).await;
    let bucket = format!(
        "s3: {{ endpoint: \"{address}\", region: eu-1, bucket: audit, access_key: \"${{ID}}\", secret_key: \"${{ID}}\" }}"
    );
    let config = format!("record: {{ sinks: [{{ name: lake, every: 100ms, {bucket} }}] }}\n");
    let variables = [("ID", "AKIDEXAMPLE")];
    let one = House::start_with(&provider.config(&config), &variables).await;
    let other = House::start_with(&provider.config(&config), &variables).await;
    one.call(hello()).await;
    other.call(hello()).await;
    let folders = || {
        let got = receiver.got.lock().unwrap();
        let mut names: Vec<String> =
            got.iter().map(|one| one.path.rsplit_once('/').unwrap().0.to_owned()).collect();
        names.sort();
        names.dedup();
        names
    };
    until(|| folders().len() > 1).await;
    assert!(folders().iter().all(|name| name.starts_with("/audit/r0-")), "{:?}", folders());
}

#[tokio::test]
async fn of_another_log_a_sink_begins_anew_and_says_so() {
    let provider = Provider::start().await;
    let (receiver, address) = Receiver::start(&[]).await;
    let house = House::start(&provider.config(&webhook(&address))).await;
    for _ in 0..5 {
        house.call(hello()).await;
    }
    receiver.until(|numbers| numbers.len() > 9).await;
    let cursor = house.path("data/sinks/gone.cursor");
    std::fs::copy(house.path("data/sinks/siem.cursor"), cursor).unwrap();
    house.signal("TERM");
    house.ended().await;
    // Somebody moves the log away; its index and the sink's file stay.
    let log = house.path("data/log");
    std::fs::rename(&log, house.path("old")).unwrap();
    let before = receiver.got.lock().unwrap().len();
    let house = house.crash_and_restart().await;
    let record = house.call(hello()).await.record();
    until(|| receiver.got.lock().unwrap().iter().any(|one| one.body.contains(&record))).await;
    {
        let got = receiver.got.lock().unwrap();
        assert!(got[before].body.contains("\"seq\":0,"), "{}", got[before].body);
        let log = |at: usize| {
            got[at].headers["webhook-id"].to_str().unwrap().rsplitn(3, '-').last().unwrap().to_owned()
        };
        assert_ne!(log(before), log(before - 1));
    }
    let says = house.stderr();
    assert!(says.contains("begins anew") && says.contains("is another one; its index"), "{says}");
    assert!(says.contains("gone.cursor") && says.contains("holds the record back"), "{says}");
    // The index knows the new log and nothing of the old one.
    assert_eq!(house.records().await.len(), 1);
}

/// A connection of the syslog sink: everything that came, when all came.
async fn lines(listener: &TcpListener) -> (TcpStream, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut all = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut all)).await.unwrap().unwrap();
    (stream, all)
}

#[tokio::test]
async fn syslog_counts_what_was_read_to_its_end() {
    let provider = Provider::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = format!(
        "record: {{ sinks: [{{ name: soc, syslog: \"tcp://127.0.0.1:{port}\", format: jsonl, every: 100ms }}] }}\n"
    );
    let house = House::start(&provider.config(&config)).await;
    let taken = async || {
        let metrics = house.admin("/metrics").await.text();
        let line = metrics.lines().find(|line| line.starts_with("gatehouse_audit_sink_leaves{")).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    // He has it in a buffer, and dies: the system resets the connection.
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut some = [0; 10];
    stream.read_exact(&mut some).await.unwrap();
    drop(stream);
    // He has read it, and has not ended yet: nothing else comes, and no call waits.
    let (stream, first) = lines(&listener).await;
    assert!(first.contains("\"seq\":0,") && first.contains("log.opened"), "{first}");
    assert_eq!((taken().await, house.call(hello()).await.status), (0, 200));
    drop(stream);
    let (_, second) = lines(&listener).await;
    assert!(!second.contains("\"seq\":0,") && taken().await > 0, "{second}");
}
