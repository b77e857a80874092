//! Which events a page holds, and where it goes on.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use model::event::{EventType, TransactionEvent, TransactionStatus};

use crate::{
    event_ref::CorrelationId,
    packed::{
        API_ID, API_NAME, APPLICATION_ID, APPLICATION_NAME, BlockError, CLIENT_IP, METHOD, OPERATION, PATH,
        REASON_CODE,
    },
    unpack::Packed,
};

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

/// What an event must be to be listed; `None` admits everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventFilter {
    pub event_type: Option<EventType>,
    /// Not before this time.
    pub from_ms: Option<u64>,
    /// Before this time.
    pub to_ms: Option<u64>,
    /// Id or name of the API.
    pub api: Option<String>,
    /// Id or name of the application.
    pub application: Option<String>,
    pub operation: Option<String>,
    pub status: Option<TransactionStatus>,
    pub response_code: Option<RangeInclusive<u16>>,
    /// In any case.
    pub method: Option<String>,
    pub path_prefix: Option<String>,
    pub client_ip: Option<String>,
    pub reason_code: Option<String>,
    pub correlation_id: Option<String>,
    /// Most events of the page. Default: 100; never more than 1000.
    pub limit: Option<usize>,
    /// Where the page before this one ended.
    pub cursor: Option<Cursor>,
}

/// Events, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventPage {
    pub events: Vec<TransactionEvent>,
    /// The cursor of the next page; `None` when there is none.
    pub next: Option<Cursor>,
    /// Parts of the store that could not be read.
    pub warnings: Vec<String>,
}

/// A place between two events. It stays valid whatever is appended, merged or purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub(crate) ms: u64,
    /// Number of the event within its day.
    pub(crate) number: u64,
}

/// A text that is no cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a cursor as an earlier page gave it")]
pub struct CursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.number)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let (ms, number) = text.split_once('-').ok_or(CursorError)?;
        let parse = |text: &str| text.parse().map_err(|_| CursorError);
        Ok(Self { ms: parse(ms)?, number: parse(number)? })
    }
}

impl EventFilter {
    pub(crate) fn page_size(&self) -> usize {
        self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT)
    }

    /// First and last millisecond that an event of the page can have.
    pub(crate) fn span(&self) -> (u64, u64) {
        let last = self.to_ms.map_or(u64::MAX, |to| to.saturating_sub(1));
        (self.from_ms.unwrap_or(0), self.cursor.map_or(last, |cursor| cursor.ms.min(last)))
    }

    /// Whether an event would be listed, as someone who follows the store asks. Limit and cursor do not matter.
    pub fn matches(&self, event: &TransactionEvent) -> bool {
        fn is(wanted: &Option<String>, found: &[&str]) -> bool {
            wanted.as_deref().is_none_or(|wanted| found.contains(&wanted))
        }
        self.from_ms.is_none_or(|from| event.creation_date >= from)
            && self.to_ms.is_none_or(|to| event.creation_date < to)
            && self.event_type.is_none_or(|wanted| event.event_type == wanted)
            && self.status.is_none_or(|status| event.status == status)
            && self.response_code.as_ref().is_none_or(|range| range.contains(&event.response_code))
            && is(&self.api, &[&event.api_id, &event.api_name])
            && is(&self.application, &[&event.application_id, &event.application_name])
            && is(&self.operation, &[&event.operation_name])
            && self.method.as_ref().is_none_or(|method| event.http_method.eq_ignore_ascii_case(method))
            && self.path_prefix.as_ref().is_none_or(|prefix| event.request_path.starts_with(prefix.as_str()))
            && is(&self.client_ip, &[&event.application_ip])
            && is(&self.reason_code, &[&event.reason_code])
            && is(&self.correlation_id, &[&event.correlation_id])
    }
}

/// The filter in terms of one block: texts are compared once in the table, then only their ids.
pub(crate) struct BlockFilter<'f> {
    filter: &'f EventFilter,
    span: (u64, u64),
    correlation_id: Option<CorrelationId<'f>>,
    /// For each text that is asked for: the places it may be in, and for each id whether it fits.
    texts: Vec<(&'static [usize], Vec<bool>)>,
}

impl<'f> BlockFilter<'f> {
    /// `None` when no event of the block can fit.
    pub(crate) fn new(filter: &'f EventFilter, table: &[&str]) -> Option<Self> {
        let mut texts = Vec::new();
        let mut ask = |places: &'static [usize], wanted: &Option<String>, fits: fn(&str, &str) -> bool| {
            let Some(wanted) = wanted else { return true };
            let fitting: Vec<bool> = table.iter().map(|text| fits(text, wanted)).collect();
            let any = fitting.contains(&true);
            texts.push((places, fitting));
            any
        };
        let equal = |text: &str, wanted: &str| text == wanted;
        let possible = ask(&[API_ID, API_NAME], &filter.api, equal)
            && ask(&[APPLICATION_ID, APPLICATION_NAME], &filter.application, equal)
            && ask(&[OPERATION], &filter.operation, equal)
            && ask(&[METHOD], &filter.method, |text, wanted| text.eq_ignore_ascii_case(wanted))
            && ask(&[PATH], &filter.path_prefix, |text, wanted| text.starts_with(wanted))
            && ask(&[CLIENT_IP], &filter.client_ip, equal)
            && ask(&[REASON_CODE], &filter.reason_code, equal);
        let correlation_id = filter.correlation_id.as_deref().map(CorrelationId::parse);
        possible.then(|| Self { filter, span: filter.span(), correlation_id, texts })
    }

    pub(crate) fn matches(&self, event: &Packed<'_>) -> Result<bool, BlockError> {
        let (first, last) = self.span;
        let time = event.creation_date();
        let fits = |id: u32, fitting: &[bool]| fitting.get(id as usize).copied().unwrap_or(false);
        Ok(time >= first
            && time <= last
            && match self.filter.event_type {
                Some(wanted) => event.head.event_type()? == wanted,
                None => true,
            }
            && self.filter.status.is_none_or(|status| event.head.status() == status)
            && self
                .filter
                .response_code
                .as_ref()
                .is_none_or(|range| range.contains(&event.head.response_code))
            && self
                .texts
                .iter()
                .all(|(places, fitting)| places.iter().any(|place| fits(event.head.texts[*place], fitting)))
            && match self.correlation_id {
                Some(wanted) => event.correlation_id()? == wanted,
                None => true,
            })
    }
}
