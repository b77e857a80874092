//! Measures what an event costs: packing, storing, listing and looking up.
//!
//!     cargo run --release -p store --example append

use std::{
    fs,
    io::{self, Write},
    path::Path,
    time::{Duration, Instant},
};

use model::event::TransactionStatus;
use store::{BlockBuilder, CallRef, CorrelationId, EventFilter, EventRef, EventStore};

const EVENTS: u64 = 2_000_000;
const START: u64 = 1_795_305_600_000;

/// What the texts of one request are taken from.
struct Sample {
    apis: Vec<String>,
    operations: Vec<String>,
    applications: Vec<String>,
    paths: Vec<String>,
    addresses: Vec<String>,
}

impl Sample {
    /// With 1, every request is like the one before; with 40, hardly any is.
    fn new(variety: usize) -> Self {
        let names = |count: usize, name: fn(usize) -> String| (0..count).map(name).collect();
        Self {
            apis: names(variety, |n| format!("orders-api-{n}")),
            operations: names(variety * 5, |n| format!("getOrderDetails{n}")),
            applications: names(variety * 2, |n| format!("application-number-{n}")),
            paths: names(variety * 125, |n| format!("/gateway/orders/1.0/customers/{n}/orders")),
            addresses: names(variety * 25, |n| format!("10.0.{}.{}", n / 256, n % 256)),
        }
    }

    fn push(&self, builder: &mut BlockBuilder, number: u64) {
        let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ number;
        let pick = |texts: &'_ [String], salt: u32| random.rotate_left(salt) as usize % texts.len();
        let time = START + number / 50;
        let api = &self.apis[pick(&self.apis, 3)];
        builder.push(&EventRef {
            creation_date: time,
            correlation_id: CorrelationId::Number(u128::from(random) << 64 | u128::from(number)),
            api_id: api,
            api_name: api,
            api_version: "1.0",
            operation_name: &self.operations[pick(&self.operations, 7)],
            http_method: "GET",
            request_path: &self.paths[pick(&self.paths, 11)],
            query_parameters: "",
            application_id: "",
            application_name: &self.applications[pick(&self.applications, 17)],
            application_ip: &self.addresses[pick(&self.addresses, 23)],
            response_code: if random.is_multiple_of(100) { 502 } else { 200 },
            status: if random.is_multiple_of(100) {
                TransactionStatus::Failure
            } else {
                TransactionStatus::Success
            },
            native_http_method: "GET",
            external_calls: &[CallRef {
                external_call_type: "NATIVE_SERVICE_CALL",
                external_url: "http://orders.internal:8080/customers/orders",
                call_start_time: time + 1,
                call_end_time: time + 9,
                call_duration: 8,
                response_code: "200",
            }],
            gateway_time: 1,
            provider_time: 8,
            total_time: 9,
            total_data_size: 3_200,
            request_size: 200,
            response_size: 3_000,
            source_gateway: "APIGateway",
            source_gateway_node: "node-1",
            user_agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
            ..EventRef::default()
        });
    }
}

/// Processor time of this process, of all threads; the kernel counts it in hundredths of a second.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<i64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split(' ')
        .filter_map(|field| field.parse().ok())
        .collect();
    // utime and stime are the fields 14 and 15; ten numbers stand between the name, the state and them.
    let ticks: i64 = fields.iter().skip(10).take(2).sum();
    Duration::from_millis(ticks.cast_unsigned() * 10)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = io::stdout();
    let sample = Sample::new(40);
    let alike = Sample::new(1);
    let per_event = |time: Duration, events: u64| time.as_secs_f64() * 1e9 / events as f64;

    let mut builder = BlockBuilder::new();
    for (name, sample) in [("alike", &alike), ("mixed", &sample)] {
        let (cpu_before, start) = (cpu(), Instant::now());
        for number in 0..EVENTS {
            sample.push(&mut builder, number);
            if number % 1_000 == 999 {
                builder.finish();
            }
        }
        writeln!(
            out,
            "pack only, {name}:     {:6.0} ns of processor, {:6.0} ns passed, per event",
            per_event(cpu() - cpu_before, EVENTS),
            per_event(start.elapsed(), EVENTS)
        )?;
    }

    let batches = [
        (&alike, 5_000, EVENTS),
        (&alike, 500, EVENTS),
        (&sample, 5_000, EVENTS),
        (&sample, 1_000, EVENTS),
        (&sample, 100, EVENTS / 10),
        (&sample, 10, EVENTS / 100),
        (&sample, 1, 5_000),
    ];
    for (sample, batch, events) in batches {
        let directory = tempfile::tempdir()?;
        let store = EventStore::open(directory.path(), Duration::from_secs(86_400)).await?;
        let (cpu_before, start) = (cpu(), Instant::now());
        for number in 0..events {
            sample.push(&mut builder, number);
            if number % batch == batch - 1 {
                store.append_block(&mut builder.finish()).await?;
            }
        }
        store.close().await?;
        let (cpu, passed) = (cpu() - cpu_before, start.elapsed());
        writeln!(
            out,
            "batches of {batch:5}, {}: {:6.0} ns of processor, {:6.0} ns passed, {:4.0} bytes, per event",
            if std::ptr::eq(sample, &alike) { "alike" } else { "mixed" },
            per_event(cpu, events),
            per_event(passed, events),
            size(directory.path())? as f64 / events as f64
        )?;
        if batch == 1_000 || batch == 1 {
            read(&mut out, &store, events).await?;
        }
    }
    Ok(())
}

async fn read(out: &mut io::Stdout, store: &EventStore, events: u64) -> io::Result<()> {
    let none = EventFilter { path_prefix: Some("/nowhere".to_owned()), ..EventFilter::default() };
    let api = EventFilter { api: Some("orders-api-7".to_owned()), ..EventFilter::default() };
    for (name, filter) in [
        ("newest 100", EventFilter::default()),
        ("newest 100 of one api", api),
        ("none fits", none),
        (
            "unknown correlation id",
            EventFilter { correlation_id: Some("f".repeat(32)), ..EventFilter::default() },
        ),
        (
            "one second, early",
            EventFilter { from_ms: Some(START), to_ms: Some(START + 1_000), ..EventFilter::default() },
        ),
    ] {
        let start = Instant::now();
        let page = store.list(&filter).await.map_err(io::Error::other)?;
        writeln!(
            out,
            "    list of {events} events, {name}: {:.1} ms, {} found",
            start.elapsed().as_secs_f64() * 1e3,
            page.events.len()
        )?;
    }
    Ok(())
}

fn size(directory: &Path) -> io::Result<u64> {
    fs::read_dir(directory)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}
