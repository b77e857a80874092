use super::*;

const NOW: u64 = 20_000 * DAY;

fn sample<'a>(at_ms: u64, api: &'a str, application: &'a str, status: u16) -> Sample<'a> {
    Sample {
        at_ms,
        api,
        application,
        status,
        refused: (status == 429).then_some("rate_limited"),
        from_cache: false,
        request_bytes: 10,
        response_bytes: 20,
        total_us: 1_000,
        provider_us: 400,
    }
}

fn all(from_ms: u64, to_ms: u64) -> AnalyticsQuery {
    AnalyticsQuery { from_ms, to_ms, ..AnalyticsQuery::default() }
}

async fn open() -> (tempfile::TempDir, Analytics) {
    let folder = tempfile::tempdir().unwrap();
    let analytics = Analytics::open(folder.path()).await.unwrap();
    (folder, analytics)
}

#[tokio::test]
async fn requests_add_up_by_time_api_and_application() {
    let (_folder, analytics) = open().await;
    let samples = [
        sample(NOW, "a:1", "x", 200),
        sample(NOW + 1, "a:1", "y", 429),
        sample(NOW + MINUTE, "b:1", "x", 503),
    ];
    analytics.record(samples.into_iter());
    analytics.flush(NOW + MINUTE).await.unwrap();
    let whole = analytics.query(&all(NOW, NOW + HOUR)).await.unwrap();
    let [whole] = &whole[..] else { panic!("{whole:?}") };
    let cell = &whole.cell;
    assert_eq!((cell.requests, cell.client_errors, cell.server_errors, cell.refused()), (3, 1, 1, 1));
    assert_eq!(
        (cell.request_bytes, cell.response_bytes, cell.total_us, cell.provider_us),
        (30, 60, 3_000, 1_200)
    );
    assert_eq!(cell.reasons.get("rate_limited"), Some(&1));

    let by = |interval, group| AnalyticsQuery { interval, group, ..all(NOW, NOW + HOUR) };
    let rows = analytics.query(&by(Interval::Minute, Grouping::Nothing)).await.unwrap();
    assert_eq!(
        rows.iter().map(|r| (r.at_ms, r.cell.requests)).collect::<Vec<_>>(),
        [(NOW, 2), (NOW + MINUTE, 1)]
    );
    let rows = analytics.query(&by(Interval::All, Grouping::Application)).await.unwrap();
    let named: Vec<_> = rows.iter().map(|r| (r.application.as_str(), r.cell.requests)).collect();
    assert_eq!(named, [("x", 2), ("y", 1)]);
    let only = AnalyticsQuery { apis: Some(vec!["b:1".into()]), ..by(Interval::All, Grouping::Both) };
    let rows = analytics.query(&only).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].api.as_str(), rows[0].application.as_str()), ("b:1", "x"));
    let none = AnalyticsQuery { applications: Some(Vec::new()), ..all(NOW, NOW + HOUR) };
    assert!(analytics.query(&none).await.unwrap().is_empty());
}

#[tokio::test]
async fn hours_are_made_of_minutes_once_and_outlive_them() {
    let (_folder, analytics) = open().await;
    for minute in 0..90 {
        let at = NOW + minute * MINUTE;
        analytics.record([sample(at, "a:1", "x", 200)].into_iter());
        analytics.flush(at).await.unwrap();
    }
    let day = AnalyticsQuery { interval: Interval::Hour, ..all(NOW, NOW + DAY) };
    let count = async || {
        let rows = analytics.query(&day).await.unwrap();
        rows.iter().map(|row| (row.at_ms, row.cell.requests)).collect::<Vec<_>>()
    };
    assert_eq!(count().await, [(NOW, 60), (NOW + HOUR, 30)], "the second hour is not over");
    analytics.flush(NOW + 3 * HOUR).await.unwrap();
    assert_eq!(count().await, [(NOW, 60), (NOW + HOUR, 30)]);
    analytics.flush(NOW + 10 * DAY).await.unwrap();
    assert_eq!(count().await, [(NOW, 60), (NOW + HOUR, 30)], "minutes are gone, hours are not");
    let minutes = AnalyticsQuery { interval: Interval::Minute, ..all(NOW, NOW + HOUR) };
    assert!(analytics.query(&minutes).await.unwrap().is_empty());
    analytics.flush(NOW + 500 * DAY).await.unwrap();
    assert!(count().await.is_empty());
}

#[tokio::test]
async fn what_was_flushed_is_there_after_a_restart_and_callers_beyond_many_count_together() {
    let (folder, analytics) = open().await;
    let names: Vec<String> = (0..MOST_CELLS + 10).map(|n| n.to_string()).collect();
    analytics.record(names.iter().map(|name| sample(NOW, "a:1", name, 200)));
    analytics.flush(NOW).await.unwrap();
    analytics.close().await;
    let again = Analytics::open(folder.path()).await.unwrap();
    let query = AnalyticsQuery { group: Grouping::Application, ..all(NOW, NOW + HOUR) };
    let rows = again.query(&query).await.unwrap();
    assert_eq!(rows.len(), MOST_CELLS + 1);
    assert_eq!(rows.iter().find(|row| row.application == OTHERS).map(|row| row.cell.requests), Some(10));
}
