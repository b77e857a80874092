//! The collector: takes what workers hand over, keeps recent decision records in memory, and writes events to the
//! store and the access log. It runs beside traffic and is never waited for.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    fs::{File, OpenOptions},
    io::{self, Write},
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use engine::{
    RequestId, Timestamp,
    journal::{Batch, Finished},
    log::LoggedPart,
    reason::Origin,
};
use model::{Settings, event::TransactionStatus};
use proxy::EventReceiver;
use store::{
    BlockBuilder, CallRef, CorrelationId, EventRef, EventStore, MessageRef, Packing,
    analytics::{Analytics, Sample},
};

use crate::{
    alerts::Plans,
    explain::{self, Explanation},
    tap::Taps,
};

/// What the collector knows, for those who ask.
#[derive(Default)]
pub struct Collected {
    records: Mutex<VecDeque<Batch>>,
    pub stored: AtomicU64,
    /// Events that could not be written.
    pub lost: AtomicU64,
    /// Events that were never handed over, since the queue was full.
    pub dropped: Arc<AtomicU64>,
    pub taps: Taps,
    asked: tokio::sync::Notify,
    caught_up: tokio::sync::Notify,
}

impl Collected {
    /// Returns when everything that was handed over before has been collected.
    pub async fn caught_up(&self) {
        let done = self.caught_up.notified();
        self.asked.notify_one();
        // A collector that has ended has nothing left to collect.
        let _ = tokio::time::timeout(Duration::from_secs(2), done).await;
    }

    pub fn explanation(&self, id: RequestId) -> Option<Explanation> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.iter().rev().find_map(|batch| explain::find(batch, id))
    }

    /// The latest explanations, newest first.
    pub fn latest(&self, most: usize) -> Vec<Explanation> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let finished = records.iter().rev().flat_map(|b| b.finished.iter().rev().map(move |f| (b, f)));
        finished.filter(|(_, f)| f.recorded).take(most).map(|(b, f)| explain::explain(b, f)).collect()
    }

    fn keep(&self, batches: impl Iterator<Item = Batch>, most: usize) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.extend(batches);
        let mut total: usize = records.iter().map(Batch::len).sum();
        while total > most
            && let Some(oldest) = records.pop_front()
        {
            total -= oldest.len();
        }
    }
}

/// What the collector does with events, as the settings say.
pub struct Outputs {
    pub settings: Settings,
    pub store: Option<Arc<EventStore>>,
    /// What requests add up to; there where events are.
    pub analytics: Option<Arc<Analytics>>,
    pub node: String,
    /// Where alerts go.
    pub destinations: Plans,
}

/// How often old events are looked for.
const PURGE_EVERY: Duration = Duration::from_secs(3_600);
/// How often what requests add up to is written.
const ROLL_UP_EVERY: Duration = Duration::from_secs(60);
/// Batches taken in one go.
const AT_ONCE: usize = 64;
/// A write costs the same for one event and for thousands, so they wait for each other: this long, or this many.
const WRITE_AFTER: Duration = Duration::from_millis(250);
const WRITE_AT: u64 = 5_000;
/// Bytes of messages that wait at most.
const WRITE_AT_BYTES: usize = 4 << 20;

/// Runs until no worker is left that could hand anything over.
pub async fn run(
    mut batches: EventReceiver,
    collected: Arc<Collected>,
    mut outputs: tokio::sync::watch::Receiver<Arc<Outputs>>,
    clock: engine::Clock,
) {
    let mut writer =
        Writer { builder: BlockBuilder::new(), waiting: 0, bytes: 0, collected: Arc::clone(&collected) };
    let mut access_log = AccessLog::default();
    let mut taken = Vec::with_capacity(AT_ONCE);
    let mut purge = tokio::time::interval(PURGE_EVERY);
    let mut rollup = tokio::time::interval(ROLL_UP_EVERY);
    let mut write = std::pin::pin!(tokio::time::sleep(WRITE_AFTER));
    loop {
        tokio::select! {
            biased;
            count = batches.recv_many(&mut taken, AT_ONCE) => {
                if count == 0 {
                    break;
                }
            }
            // Asked for after the queue: what waits there is taken first.
            () = collected.asked.notified() => {
                let outputs = current(&mut outputs);
                writer.write(&outputs).await;
                flush(&outputs, &clock).await;
                collected.caught_up.notify_waiters();
                continue;
            }
            () = &mut write, if writer.waiting > 0 => {
                writer.write(&current(&mut outputs)).await;
                continue;
            }
            _ = rollup.tick() => {
                flush(&current(&mut outputs), &clock).await;
                continue;
            }
            _ = purge.tick() => {
                let store = outputs.borrow().store.clone();
                if let Some(store) = store && let Err(error) = store.purge(clock.now().millis()).await {
                    tracing::warn!(%error, "old events could not be removed");
                }
                continue;
            }
        }
        let outputs = current(&mut outputs);
        if writer.waiting == 0 {
            write.as_mut().reset(tokio::time::Instant::now() + WRITE_AFTER);
        }
        if let Some(analytics) = outputs.analytics.as_ref().filter(|_| outputs.settings.events.enabled) {
            analytics.record(taken.iter().flat_map(|batch| batch.finished.iter().map(|f| sample(batch, f))));
        }
        for batch in &taken {
            collected.taps.offer(batch);
            for finished in &batch.finished {
                access_log.write(&outputs.settings, batch, finished);
                if outputs.store.is_some() && outputs.settings.events.enabled {
                    push(&mut writer.builder, batch, finished, &outputs.node);
                    writer.waiting += 1;
                    let fields = batch.fields(finished).map(|(name, value)| name.len() + value.len());
                    writer.bytes += fields.sum::<usize>() + finished.log.as_ref().map_or(0, |log| log.size());
                }
            }
        }
        access_log.flush();
        taken.iter_mut().for_each(Batch::forget_logs);
        collected.keep(taken.drain(..), outputs.settings.explain.retain as usize);
        if writer.waiting >= WRITE_AT || writer.bytes >= WRITE_AT_BYTES {
            writer.write(&outputs).await;
        }
    }
    let outputs = current(&mut outputs);
    writer.write(&outputs).await;
    flush(&outputs, &clock).await;
}

/// Writes what requests add up to.
async fn flush(outputs: &Outputs, clock: &engine::Clock) {
    if let Some(analytics) = &outputs.analytics
        && let Err(error) = analytics.flush(clock.now().millis()).await
    {
        tracing::error!(%error, "what requests add up to could not be stored");
    }
}

/// A finished request as it is counted.
fn sample<'b>(batch: &'b Batch, finished: &Finished) -> Sample<'b> {
    let refused = finished.reason.filter(|reason| reason.origin != Origin::Upstream);
    Sample {
        at_ms: finished.started.millis(),
        api: batch.api(finished).map_or("", |api| &api.id),
        application: batch.application(finished).unwrap_or_default(),
        status: finished.status,
        refused: refused.map(|reason| reason.code),
        from_cache: finished.from_cache,
        request_bytes: finished.request_bytes,
        response_bytes: finished.response_bytes,
        total_us: finished.total_us,
        provider_us: finished.provider_us,
    }
}

/// The outputs as they are now; not borrowed, since writing waits.
fn current(outputs: &mut tokio::sync::watch::Receiver<Arc<Outputs>>) -> Arc<Outputs> {
    Arc::clone(&outputs.borrow_and_update())
}

/// Events on their way into the store.
struct Writer {
    builder: BlockBuilder,
    waiting: u64,
    bytes: usize,
    collected: Arc<Collected>,
}

impl Writer {
    async fn write(&mut self, outputs: &Outputs) {
        let count = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        let Some(store) = outputs.store.as_ref().filter(|_| count > 0) else { return };
        let mut block = self.builder.finish();
        match store.append_block(&mut block).await {
            Ok(()) => {
                self.collected.stored.fetch_add(count, Relaxed);
            }
            Err(error) => {
                self.collected.lost.fetch_add(count, Relaxed);
                tracing::error!(%error, events = count, "events could not be stored");
            }
        }
    }
}

/// One finished request as an event, borrowed from its batch.
fn push(builder: &mut BlockBuilder, batch: &Batch, finished: &Finished, node: &str) {
    let api = batch.api(finished);
    let mut ip = Text::<48>::default();
    ip.address(finished.client);
    let attempts = batch.attempts(finished);
    let mut statuses: [Text<3>; MOST_CALLS] = Default::default();
    let mut calls = [CallRef::default(); MOST_CALLS];
    for ((call, status), attempt) in calls.iter_mut().zip(&mut statuses).zip(attempts) {
        if attempt.status != 0 {
            status.number(attempt.status);
        }
        let start = attempt.started.millis();
        let end = attempt.started.plus(attempt.took).millis();
        *call = CallRef {
            external_call_type: "NATIVE_SERVICE_CALL",
            external_url: batch.endpoint(attempt),
            call_start_time: start,
            call_end_time: end,
            call_duration: end - start,
            response_code: status.as_str(),
        };
    }
    let failed = finished.reason.is_some() || finished.status >= 400;
    let total = finished.total_us / 1_000;
    let provider = (finished.provider_us / 1_000).min(total);
    let custom_fields: Vec<(&str, &str)> = batch.fields(finished).collect();
    let messages: Vec<MessageRef<'_>> = finished.log.iter().flat_map(|log| &log.parts).map(message).collect();
    builder.push(&EventRef {
        creation_date: finished.started.millis(),
        correlation_id: CorrelationId::Number(finished.id.number()),
        api_id: api.map_or("", |a| &a.id),
        api_name: api.map_or("", |a| &a.name),
        api_version: api.map_or("", |a| &a.version),
        operation_name: batch.operation(finished).map_or("", |o| &o.name),
        http_method: finished.method.as_str(),
        native_http_method: if attempts.is_empty() { "" } else { finished.method.as_str() },
        request_path: batch.path(finished),
        query_parameters: batch.query(finished),
        application_id: batch.application(finished).unwrap_or(""),
        application_name: batch.application(finished).unwrap_or("unknown"),
        application_ip: ip.as_str(),
        response_code: finished.status,
        status: if failed { TransactionStatus::Failure } else { TransactionStatus::Success },
        reason_code: finished.reason.map_or("", |r| r.code),
        error_origin: error_origin(finished),
        external_calls: &calls[..attempts.len().min(MOST_CALLS)],
        gateway_time: total - provider,
        provider_time: provider,
        total_time: total,
        total_data_size: finished.request_bytes + finished.response_bytes,
        request_size: finished.request_bytes,
        response_size: finished.response_bytes,
        callback_request: finished.callback,
        source_gateway: "APIGateway",
        source_gateway_node: node,
        user_agent: batch.user_agent(finished),
        custom_fields: &custom_fields,
        messages: &messages,
        ..EventRef::default()
    });
}

fn message(part: &LoggedPart) -> MessageRef<'_> {
    MessageRef {
        part: part.part,
        bytes: &part.bytes,
        total: part.total,
        packing: if part.compress { Packing::Compress } else { Packing::Plain },
    }
}

/// Calls kept of one request; there are hardly ever more than two.
const MOST_CALLS: usize = 4;

fn error_origin(finished: &Finished) -> &'static str {
    match finished.reason.map(|r| r.origin) {
        Some(Origin::Upstream) => "Nativeservice",
        Some(Origin::Client | Origin::Gateway) => "APIGateway",
        None if finished.status >= 400 => "Nativeservice",
        None => "",
    }
}

/// Short text without an allocation.
#[derive(Clone, Copy)]
struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self { bytes: [0; N], length: 0 }
    }
}

impl<const N: usize> Text<N> {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or("")
    }

    /// Digits without the formatting machinery, which costs more than the rest of an event.
    fn number(&mut self, number: u16) {
        let _ = self.write_str(itoa::Buffer::new().format(number));
    }

    fn address(&mut self, ip: IpAddr) {
        let IpAddr::V4(ip) = ip else {
            let _ = write!(self, "{ip}");
            return;
        };
        for (place, octet) in ip.octets().into_iter().enumerate() {
            if place > 0 {
                let _ = self.write_str(".");
            }
            self.number(u16::from(octet));
        }
    }
}

impl<const N: usize> std::fmt::Write for Text<N> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let place = self.bytes.get_mut(self.length..self.length + text.len()).ok_or(std::fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

/// One JSON object for each request, on a line of its own.
#[derive(Default)]
struct AccessLog {
    path: Option<String>,
    file: Option<Box<dyn Write + Send>>,
    text: Vec<u8>,
}

impl AccessLog {
    fn write(&mut self, settings: &Settings, batch: &Batch, finished: &Finished) {
        let Some(path) = &settings.access_log.path else { return };
        if self.path.as_ref() != Some(path) {
            self.file = open(path);
            self.path = Some(path.clone());
        }
        if self.file.is_none() {
            return;
        }
        let line = serde_json::json!({
            "time": rfc3339(finished.started),
            "requestId": finished.id.to_string(),
            "client": finished.client.to_string(),
            "method": finished.method.as_str(),
            "path": batch.path(finished),
            "query": batch.query(finished),
            "status": finished.status,
            "reason": finished.reason.map(|r| r.code),
            "api": batch.api(finished).map(|a| &*a.id),
            "operation": batch.operation(finished).map(|o| &*o.name),
            "application": batch.application(finished),
            "requestBytes": finished.request_bytes,
            "responseBytes": finished.response_bytes,
            "totalMicros": finished.total_us,
            "providerMicros": finished.provider_us,
            "userAgent": batch.user_agent(finished),
        });
        // Writing to memory cannot fail.
        let _ = serde_json::to_writer(&mut self.text, &line);
        self.text.push(b'\n');
    }

    fn flush(&mut self) {
        if let Some(file) = &mut self.file
            && !self.text.is_empty()
            && let Err(error) = file.write_all(&self.text).and_then(|()| file.flush())
        {
            tracing::error!(%error, "the access log could not be written");
        }
        self.text.clear();
    }
}

fn open(path: &str) -> Option<Box<dyn Write + Send>> {
    if path == "stdout" {
        return Some(Box::new(io::stdout()));
    }
    match OpenOptions::new().create(true).append(true).open(path) {
        Ok(file) => Some(Box::<File>::new(file)),
        Err(error) => {
            tracing::error!(path, %error, "the access log cannot be opened");
            None
        }
    }
}

fn rfc3339(time: Timestamp) -> String {
    time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.0))
        .ok()
        .and_then(|t| t.format(&time::format_description::well_known::Rfc3339).ok())
        .unwrap_or_default()
}
