//! Building blocks of events, without an allocation for most events.

use model::event::{TransactionEvent, TransactionStatus};

use crate::{
    day::Day,
    event_ref::{CallRef, EventRef},
    intern::{Field, Interner},
    messages,
    packed::{Call, Head, Header, VERSION, WITHOUT_MESSAGES, write_number},
};

/// Most events in one row: what a reader unpacks at a time.
const MAX_EVENTS: u32 = 8_192;

/// Packs events into a [`Block`]. Kept and used again, it remembers the texts that repeat.
#[derive(Default)]
pub struct BlockBuilder {
    /// Of two days around midnight both are open.
    open: Vec<PartBuilder>,
    sealed: Vec<Part>,
}

/// Events packed for [`EventStore::append_block`](crate::EventStore::append_block).
#[derive(Default)]
pub struct Block {
    pub(crate) parts: Vec<Part>,
}

/// What becomes one row: events of one day.
pub(crate) struct Part {
    pub day: Day,
    pub first_ms: u64,
    pub last_ms: u64,
    pub count: u32,
    pub failures: u32,
    /// Fingerprints of the correlation ids.
    pub marks: Vec<u8>,
    pub data: Vec<u8>,
}

impl Block {
    /// Number of events that are still to be stored.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.count as usize).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

impl BlockBuilder {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn push(&mut self, event: &EventRef<'_>) {
        let calls = event.external_calls.iter().copied();
        self.push_parts(event, calls, event.custom_fields.iter().copied());
    }

    pub fn push_event(&mut self, event: &TransactionEvent) {
        let calls = event.external_calls.iter().map(CallRef::from);
        let fields = event.custom_fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let messages = event.messages.parts();
        let messages: Vec<_> = messages.iter().map(|(part, text)| messages::plain(*part, text)).collect();
        let head = EventRef { messages: &messages, ..EventRef::head_of(event) };
        self.push_parts(&head, calls, fields);
    }

    /// The events pushed since the last call.
    pub fn finish(&mut self) -> Block {
        for part in self.open.iter_mut().filter(|part| part.count > 0) {
            self.sealed.push(part.seal());
        }
        self.open.truncate(2);
        Block { parts: std::mem::take(&mut self.sealed) }
    }

    fn push_parts<'e>(
        &mut self,
        event: &EventRef<'_>,
        calls: impl ExactSizeIterator<Item = CallRef<'e>>,
        fields: impl ExactSizeIterator<Item = (&'e str, &'e str)>,
    ) {
        let day = Day::of(event.creation_date);
        let place = match self.open.iter().position(|part| part.day == day) {
            Some(place) => place,
            None => match self.open.iter().position(|part| part.count == 0) {
                Some(unused) => {
                    self.open[unused].day = day;
                    unused
                }
                None => {
                    self.open.push(PartBuilder::new(day));
                    self.open.len() - 1
                }
            },
        };
        let part = &mut self.open[place];
        part.push(event, calls, fields);
        if part.count >= MAX_EVENTS {
            let sealed = part.seal();
            self.sealed.push(sealed);
        }
    }
}

/// Packs the events of one day.
pub(crate) struct PartBuilder {
    day: Day,
    base_ms: u64,
    first_ms: u64,
    last_ms: u64,
    count: u32,
    failures: u32,
    texts: Interner,
    marks: Vec<u8>,
    events: Vec<u8>,
    /// An event has messages.
    messages: bool,
}

impl PartBuilder {
    pub(crate) fn new(day: Day) -> Self {
        Self {
            day,
            base_ms: 0,
            first_ms: 0,
            last_ms: 0,
            count: 0,
            failures: 0,
            texts: Interner::new(),
            marks: Vec::new(),
            events: Vec::new(),
            messages: false,
        }
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn push<'e>(
        &mut self,
        event: &EventRef<'_>,
        calls: impl ExactSizeIterator<Item = CallRef<'e>>,
        fields: impl ExactSizeIterator<Item = (&'e str, &'e str)>,
    ) {
        let time = event.creation_date;
        if self.count == 0 {
            (self.base_ms, self.first_ms, self.last_ms) = (time, time, time);
        }
        self.first_ms = self.first_ms.min(time);
        self.last_ms = self.last_ms.max(time);
        self.count += 1;
        self.failures += u32::from(event.status == TransactionStatus::Failure);
        self.marks.extend_from_slice(&event.correlation_id.mark());

        let texts = &mut self.texts;
        Head::new(event, self.base_ms, texts).write(&mut self.events);
        write_number(&mut self.events, calls.len() as u64);
        for call in calls {
            Call::new(&call, self.base_ms, texts).write(&mut self.events);
        }
        write_number(&mut self.events, fields.len() as u64);
        for (name, value) in fields {
            let (name, value) = (texts.id(Field::CUSTOM_NAME, name), texts.id(Field::CUSTOM_VALUE, value));
            write_number(&mut self.events, u64::from(name));
            write_number(&mut self.events, u64::from(value));
        }
        if !event.messages.is_empty() {
            self.messages = true;
            messages::write(&mut self.events, event.messages);
        }
    }

    pub(crate) fn seal(&mut self) -> Part {
        let mut data = Vec::with_capacity(24 + self.texts.table().len() + self.events.len());
        data.push(if self.messages { VERSION } else { WITHOUT_MESSAGES });
        self.messages = false;
        Header { base_ms: self.base_ms, texts: self.texts.len(), events: self.count }.write(&mut data);
        data.extend_from_slice(self.texts.table());
        data.extend_from_slice(&self.events);
        let part = Part {
            day: self.day,
            first_ms: self.first_ms,
            last_ms: self.last_ms,
            count: self.count,
            failures: self.failures,
            marks: self.marks.clone(),
            data,
        };
        self.texts.clear();
        self.marks.clear();
        self.events.clear();
        (self.count, self.failures) = (0, 0);
        part
    }
}
