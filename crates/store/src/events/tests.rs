use std::collections::HashSet;

use model::event::{EventType, ExternalCall, TransactionStatus};
use sqlx::Row;
use tempfile::TempDir;

use super::*;
use crate::{Cursor, StoreError::*};

/// 2026-11-22 00:00 UTC.
const TODAY: u64 = 1_795_305_600_000;
const DAY: u64 = day::DAY_MS;
const WEEK: Duration = Duration::from_secs(7 * 86_400);

async fn store() -> (TempDir, EventStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = EventStore::open(directory.path(), WEEK).await.unwrap();
    (directory, store)
}

fn event(number: u64, ms: u64) -> TransactionEvent {
    TransactionEvent {
        creation_date: ms,
        correlation_id: format!("{:032x}", u128::from(number) << 64 | u128::from(number * 7)),
        api_id: format!("id-{}", number % 3),
        api_name: ["orders", "customers", "stock"][number as usize % 3].to_owned(),
        api_version: "1.0".to_owned(),
        operation_name: format!("op{}", number % 5),
        http_method: if number.is_multiple_of(2) { "GET" } else { "POST" }.to_owned(),
        request_path: format!("/gateway/orders/1.0/{number}"),
        query_parameters: "a=b&c=ü".to_owned(),
        application_id: "app-7".to_owned(),
        application_name: "unknown".to_owned(),
        application_ip: format!("10.0.0.{}", number % 4),
        response_code: if number.is_multiple_of(10) { 502 } else { 200 },
        status: if number.is_multiple_of(10) {
            TransactionStatus::Failure
        } else {
            TransactionStatus::Success
        },
        reason_code: if number.is_multiple_of(10) { "upstream_failed" } else { "" }.to_owned(),
        error_origin: "Nativeservice".to_owned(),
        native_http_method: "GET".to_owned(),
        external_calls: (0..number % 3)
            .map(|n| ExternalCall {
                external_call_type: "NATIVE_SERVICE_CALL".to_owned(),
                external_url: "http://localhost/x".to_owned(),
                call_start_time: ms + n,
                call_end_time: ms + n + 5,
                call_duration: 5,
                response_code: "200".to_owned(),
            })
            .collect(),
        gateway_time: 1,
        provider_time: u64::MAX,
        total_time: 3,
        total_data_size: 1 << 40,
        request_size: 5,
        response_size: 6,
        callback_request: number.is_multiple_of(4),
        session_id: String::new(),
        source_gateway: "APIGateway".to_owned(),
        source_gateway_node: "node".to_owned(),
        user_agent: "x".repeat(600),
        custom_fields: vec![("k".to_owned(), number.to_string()); number as usize % 2],
        ..TransactionEvent::default()
    }
}

fn events(numbers: std::ops::Range<u64>) -> Vec<TransactionEvent> {
    numbers.map(|number| event(number, TODAY + number * 10)).collect()
}

fn all() -> EventFilter {
    EventFilter { limit: Some(1_000), ..EventFilter::default() }
}

/// Numbers of the listed events, as their paths have them.
fn numbers(page: &EventPage) -> Vec<u64> {
    page.events.iter().map(|event| event.request_path.rsplit('/').next().unwrap().parse().unwrap()).collect()
}

async fn database(directory: &Path, name: &str, sql: &'static str) {
    let mut connection = day::open_to_write(&directory.join(name)).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn blocks(store: &EventStore) -> i64 {
    let mut connection = day::open_to_read(&store.directory.join("events-2026-11-22.db")).await.unwrap();
    sqlx::query("SELECT count(*) FROM block").fetch_one(&mut connection).await.unwrap().get(0)
}

#[tokio::test]
async fn events_come_back_as_they_were_and_newest_first() {
    let (_directory, store) = store().await;
    let mut written = events(0..30);
    written[3].correlation_id = "from-a-client".to_owned();
    written[4].correlation_id = "A".repeat(32);
    store.append(&written).await.unwrap();
    let listed = store.list(&all()).await.unwrap();
    assert_eq!((listed.next, &listed.warnings), (None, &Vec::new()));
    written.reverse();
    assert_eq!(listed.events, written);
    for event in &written {
        assert_eq!(store.get(&event.correlation_id).await.unwrap().as_ref(), Some(event));
    }
    for unknown in ["", "from", "ffffffffffffffffffffffffffffffff"] {
        assert_eq!(store.get(unknown).await.unwrap(), None, "{unknown}");
    }
}

#[tokio::test]
async fn an_event_that_finished_late_is_listed_where_it_began() {
    let (_directory, store) = store().await;
    for ms in [50, 10, 90, 20, 80, 0, 70] {
        store.append(&[event(ms, TODAY + ms), event(ms + 1, TODAY + ms + 1)]).await.unwrap();
    }
    let expected = [91, 90, 81, 80, 71, 70, 51, 50, 21, 20, 11, 10, 1, 0];
    assert_eq!(numbers(&store.list(&all()).await.unwrap()), expected);
    let first = store.list(&EventFilter { limit: Some(5), ..EventFilter::default() }).await.unwrap();
    assert_eq!(numbers(&first), expected[..5]);
    let rest = store.list(&EventFilter { cursor: first.next, ..all() }).await.unwrap();
    assert_eq!(numbers(&rest), expected[5..]);
}

#[tokio::test]
async fn filters_choose_what_they_say() {
    let (_directory, store) = store().await;
    let written: Vec<_> = (0..200).map(|n| event(n, TODAY - DAY + n * DAY / 100)).collect();
    for batch in written.chunks(30) {
        store.append(batch).await.unwrap();
    }
    let text = |text: &str| Some(text.to_owned());
    let none = EventFilter::default;
    let table: [(EventFilter, usize); 19] = [
        (none(), 200),
        (EventFilter { api: text("orders"), ..none() }, 67),
        (EventFilter { api: text("id-1"), ..none() }, 67),
        (EventFilter { api: text("order"), ..none() }, 0),
        (EventFilter { application: text("app-7"), ..none() }, 200),
        (EventFilter { application: text("unknown"), ..none() }, 200),
        (EventFilter { operation: text("op4"), ..none() }, 40),
        (EventFilter { status: Some(TransactionStatus::Failure), ..none() }, 20),
        (EventFilter { status: Some(TransactionStatus::Success), ..none() }, 180),
        (EventFilter { response_code: Some(500..=599), ..none() }, 20),
        (EventFilter { method: text("get"), ..none() }, 100),
        (EventFilter { path_prefix: text("/gateway/orders/1.0/19"), ..none() }, 11),
        (EventFilter { client_ip: text("10.0.0.3"), ..none() }, 50),
        (EventFilter { reason_code: text("upstream_failed"), ..none() }, 20),
        (EventFilter { reason_code: text(""), ..none() }, 180),
        (EventFilter { from_ms: Some(TODAY), ..none() }, 100),
        (EventFilter { to_ms: Some(TODAY), ..none() }, 100),
        (EventFilter { from_ms: Some(TODAY), to_ms: Some(TODAY + DAY / 100), ..none() }, 1),
        (
            EventFilter { api: text("orders"), method: text("POST"), client_ip: text("10.0.0.1"), ..none() },
            16,
        ),
    ];
    for (filter, count) in table {
        let expected: Vec<_> = written.iter().rev().filter(|event| filter.matches(event)).cloned().collect();
        assert_eq!(expected.len(), count, "{filter:?}");
        let listed = store.list(&EventFilter { limit: Some(1_000), ..filter.clone() }).await.unwrap();
        assert!(listed.events == expected, "{filter:?}");
    }
    let by_id = EventFilter { correlation_id: Some(written[7].correlation_id.clone()), ..none() };
    assert_eq!(store.list(&by_id).await.unwrap().events, written[7..8]);
}

#[tokio::test]
async fn pages_have_no_gaps_or_repeats_while_events_are_appended_and_merged() {
    let (_directory, store) = store().await;
    // Two hundred events in the same few milliseconds, over midnight.
    let old: Vec<_> = (0..200).map(|n| event(n, TODAY + DAY - 10 + n / 10)).collect();
    for batch in old.chunks(3) {
        store.append(batch).await.unwrap();
    }
    let (mut cursor, mut seen, mut next) = (None, Vec::new(), 1_000);
    loop {
        let page =
            store.list(&EventFilter { limit: Some(7), cursor, ..EventFilter::default() }).await.unwrap();
        seen.extend(numbers(&page));
        let Some(place) = page.next else { break };
        // A cursor goes through an address as text.
        cursor = Some(place.to_string().parse::<Cursor>().unwrap());
        for _ in 0..10 {
            store.append(&[event(next, TODAY + DAY + 1_000 + next)]).await.unwrap();
            next += 1;
        }
    }
    let unique: HashSet<_> = seen.iter().copied().collect();
    assert_eq!(seen.len(), unique.len());
    assert!((0..200).all(|number| unique.contains(&number)), "{seen:?}");
    assert!("x".parse::<Cursor>().is_err() && "1-".parse::<Cursor>().is_err());
}

#[tokio::test]
async fn small_blocks_are_merged_and_their_events_stay() {
    let (_directory, store) = store().await;
    for event in events(0..1_000) {
        store.append(&[event]).await.unwrap();
    }
    assert!(blocks(&store).await <= 64);
    store.append(&events(1_000..1_500)).await.unwrap();
    store.append(&events(1_500..1_600)).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(blocks(&store).await, 2);
    let mut seen = Vec::new();
    let mut filter = all();
    loop {
        let page = store.list(&filter).await.unwrap();
        seen.extend(page.events);
        filter.cursor = page.next;
        if page.next.is_none() {
            break;
        }
    }
    seen.reverse();
    assert_eq!(seen.len(), 1_600);
    assert!(seen == events(0..1_600));
    assert_eq!(store.get(&seen[1_030].correlation_id).await.unwrap().as_ref(), Some(&seen[1_030]));
}

#[tokio::test]
async fn whole_days_beyond_the_retention_are_deleted() {
    let (directory, store) = store().await;
    for day in 0..10 {
        store.append(&[event(day, TODAY + day * DAY)]).await.unwrap();
    }
    assert_eq!(store.purge(TODAY + 7 * DAY).await.unwrap(), 0);
    assert_eq!(store.purge(TODAY + 9 * DAY - 1).await.unwrap(), 1);
    assert_eq!(store.purge(TODAY + 9 * DAY).await.unwrap(), 1);
    assert_eq!(numbers(&store.list(&all()).await.unwrap()), [9, 8, 7, 6, 5, 4, 3, 2]);
    assert_eq!(store.purge(TODAY + 100 * DAY).await.unwrap(), 8);
    let left: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [LOCK_FILE]);
    store.append(&[event(1, TODAY + 100 * DAY)]).await.unwrap();
    assert_eq!(numbers(&store.list(&all()).await.unwrap()), [1]);
}

#[tokio::test]
async fn what_was_appended_survives_a_kill() {
    let (directory, store) = store().await;
    store.append(&events(0..10)).await.unwrap();
    store.append(&events(10..20)).await.unwrap();
    // The files as a killed process would leave them, with the log not folded in.
    let killed = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(directory.path()).unwrap().map(Result::unwrap) {
        if !entry.file_name().to_str().unwrap().ends_with("-shm") {
            fs::copy(entry.path(), killed.path().join(entry.file_name())).unwrap();
        }
    }
    drop(store);
    for directory in [directory.path(), killed.path()] {
        let store = EventStore::open(directory, WEEK).await.unwrap();
        assert_eq!(store.list(&all()).await.unwrap().events.len(), 20);
        store.append(&events(20..21)).await.unwrap();
        assert_eq!(numbers(&store.list(&all()).await.unwrap()), (0..21).rev().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_second_process_is_told_that_the_store_is_in_use() {
    let (directory, store) = store().await;
    let error = EventStore::open(directory.path(), WEEK).await.err().unwrap();
    assert!(matches!(error, InUse { .. }), "{error}");
    assert!(error.to_string().ends_with("is in use by another process"), "{error}");
    drop(store);
    EventStore::open(directory.path(), WEEK).await.unwrap();
}

#[tokio::test]
async fn a_corrupt_file_is_set_aside_and_other_days_go_on() {
    let (directory, store) = store().await;
    let path = directory.path().join("events-2026-11-22.db");
    store.append(&[event(1, TODAY), event(2, TODAY + DAY)]).await.unwrap();
    store.close().await.unwrap();

    // Found while reading.
    fs::write(&path, "no database, but some text that is longer than the header of one; ".repeat(99))
        .unwrap();
    let page = store.list(&all()).await.unwrap();
    assert_eq!(numbers(&page), [2]);
    assert!(page.warnings[0].contains("events-2026-11-22.db.corrupt"), "{:?}", page.warnings);
    assert!(!path.exists());
    assert!(store.list(&all()).await.unwrap().warnings.is_empty());

    // Found while writing.
    fs::write(&path, "no database, but some text that is longer than the header of one; ".repeat(99))
        .unwrap();
    store.append(&[event(3, TODAY)]).await.unwrap();
    assert_eq!(numbers(&store.list(&all()).await.unwrap()), [2, 3]);
    for aside in ["events-2026-11-22.db.corrupt", "events-2026-11-22.db.corrupt.1"] {
        assert!(directory.path().join(aside).exists(), "{aside}");
    }
}

#[tokio::test]
async fn a_block_of_a_later_version_is_reported_and_the_others_are_listed() {
    let (directory, store) = store().await;
    for numbers in [0..10, 10..20, 20..30, 30..40] {
        store.append(&events(numbers)).await.unwrap();
    }
    // Closing would merge the blocks.
    drop(store);
    const SQL: &str = "UPDATE block SET data = CAST(x'63' || substr(data, 2) AS BLOB) WHERE id = 11;
                       UPDATE block SET data = substr(data, 1, 100) WHERE id = 21;";
    database(directory.path(), "events-2026-11-22.db", SQL).await;
    let store = EventStore::open(directory.path(), WEEK).await.unwrap();
    let page = store.list(&all()).await.unwrap();
    assert_eq!(numbers(&page), (0..10).chain(30..40).rev().collect::<Vec<_>>().as_slice());
    assert_eq!(
        page.warnings,
        [
            "block 21 of events-2026-11-22.db cannot be read: its content is damaged",
            "block 11 of events-2026-11-22.db cannot be read: it was written by a later version of the program \
             (block version 99)",
        ]
    );
    // They are not merged away either.
    store.append(&events(40..41)).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(blocks(&store).await, 5);
    assert_eq!(store.list(&all()).await.unwrap().warnings.len(), 2);
}

#[tokio::test]
async fn a_full_disk_and_a_read_only_file_are_named_and_a_block_can_be_stored_later() {
    let (_directory, store) = store().await;
    let mut builder = BlockBuilder::new();
    let mut block = |first: u64| {
        let events = (first..first + 2_000).map(|number| event(number, TODAY));
        events.chain([event(first, TODAY + DAY)]).for_each(|event| builder.push_event(&event));
        builder.finish()
    };
    for (pragma, text) in
        [("PRAGMA max_page_count = 1", "the disk is full"), ("PRAGMA query_only = 1", "read-only")]
    {
        store.append(&[event(0, TODAY)]).await.unwrap();
        let mut block = block(0);
        let mut writer = store.writer.lock().await;
        let day = writer.days.iter_mut().find(|day| day.day() == Day::of(TODAY)).unwrap();
        sqlx::raw_sql(pragma).execute(day.connection()).await.unwrap();
        drop(writer);
        let error = store.append_block(&mut block).await.unwrap_err();
        assert!(matches!(error, Full { .. } | ReadOnly { .. }), "{error:?}");
        assert!(error.to_string().contains(text) && error.to_string().contains("2026-11-22"), "{error}");
        // The other day is stored, and this one once there is room again.
        assert_eq!(block.len(), 2_000);
        store.append_block(&mut block).await.unwrap();
        assert!(block.is_empty());
    }
    let tomorrow = store.list(&EventFilter { from_ms: Some(TODAY + DAY), ..all() }).await.unwrap();
    assert_eq!(tomorrow.events.len(), 2);
}

#[tokio::test]
async fn followers_get_what_was_stored() {
    let (_directory, store) = store().await;
    store.append(&events(0..5)).await.unwrap();
    let mut follower = store.follow();
    store.append(&events(5..10)).await.unwrap();
    assert_eq!(*follower.try_recv().unwrap(), *events(5..10));
    assert!(follower.try_recv().is_err());
}

#[tokio::test]
async fn messages_are_kept_through_merges_and_other_blocks_stay_as_they_were() {
    let (_directory, store) = store().await;
    let mut with_messages = event(1, TODAY);
    with_messages.messages.set(model::event::LogPart::RequestHeaders, r#"{"a":"b"}"#.to_owned());
    with_messages.messages.set(model::event::LogPart::ResPayload, "payload".to_owned());
    let mut builder = BlockBuilder::new();
    builder.push_event(&event(2, TODAY));
    assert_eq!(builder.finish().parts[0].data[0], 1, "nothing new is in it");
    builder.push_event(&with_messages);
    assert_eq!(builder.finish().parts[0].data[0], 2);
    for number in 2..70 {
        store.append(&[event(number, TODAY + number)]).await.unwrap();
    }
    store.append(std::slice::from_ref(&with_messages)).await.unwrap();
    store.close().await.unwrap();
    let found = store.get(&with_messages.correlation_id).await.unwrap().unwrap();
    assert_eq!(found, with_messages);
    let others = store.list(&all()).await.unwrap().events;
    assert_eq!(others.iter().filter(|event| !event.messages.is_empty()).count(), 1);
    assert_eq!(others.len(), 69);
}

#[tokio::test]
async fn alerts_are_events_of_their_own_type() {
    let (_directory, store) = store().await;
    let fields = vec![("alertDesc".to_owned(), "slow".to_owned())];
    let alert = TransactionEvent {
        event_type: EventType::Monitor,
        creation_date: TODAY,
        custom_fields: fields,
        ..TransactionEvent::default()
    };
    store.append(&[event(1, TODAY), alert.clone(), event(2, TODAY)]).await.unwrap();
    let of = |event_type| EventFilter { event_type, ..EventFilter::default() };
    assert_eq!(store.list(&of(None)).await.unwrap().events.len(), 3);
    assert_eq!(store.list(&of(Some(EventType::Monitor))).await.unwrap().events, [alert]);
    assert_eq!(numbers(&store.list(&of(Some(EventType::Transactional))).await.unwrap()), [2, 1]);
}
