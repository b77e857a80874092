//! What modules can call: proxy-wasm ABI 0.2.1, as far as filters of HTTP use it. What is not offered here answers
//! `Unimplemented`.

use bytes::Bytes;
use engine::{Clock, Exchange, Headers, Payload, language::Escape, language::OWN_HEADERS};
use http::{HeaderName, StatusCode};
use wasmi::{Caller, Linker, Memory, StoreLimits, TypedFunc, errors::LinkerError};

use super::maps::{self, Map};

const OK: i32 = 0;
const NOT_FOUND: i32 = 1;
const BAD_ARGUMENT: i32 = 2;
const INVALID_MEMORY: i32 = 6;
const INTERNAL: i32 = 10;
const UNIMPLEMENTED: i32 = 12;

/// Most characters of a decision record that a request's modules can fill.
const MOST_LOG: usize = 2_000;
/// Fuel of an allocation that the gateway asks a module for.
const ALLOCATION: u64 = 1 << 20;

/// Functions of the ABI that a module may import and that answer `Unimplemented`.
pub const UNSUPPORTED: [&str; 23] = [
    "proxy_set_tick_period_milliseconds",
    "proxy_get_shared_data",
    "proxy_set_shared_data",
    "proxy_register_shared_queue",
    "proxy_resolve_shared_queue",
    "proxy_dequeue_shared_queue",
    "proxy_enqueue_shared_queue",
    "proxy_http_call",
    "proxy_grpc_call",
    "proxy_grpc_stream",
    "proxy_grpc_send",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    "proxy_define_metric",
    "proxy_increment_metric",
    "proxy_record_metric",
    "proxy_get_metric",
    "proxy_call_foreign_function",
    "proxy_continue_stream",
    "proxy_close_stream",
    "proxy_continue_request",
    "proxy_continue_response",
    "proxy_done",
];

/// Functions that do what the ABI says, all of numbers.
const OFFERED: [&str; 18] = [
    "proxy_log",
    "proxy_get_log_level",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_buffer_bytes",
    "proxy_get_buffer_status",
    "proxy_set_buffer_bytes",
    "proxy_get_header_map_size",
    "proxy_get_header_map_pairs",
    "proxy_set_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_add_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_get_property",
    "proxy_set_property",
    "proxy_send_local_response",
    "proxy_get_status",
    "proxy_set_effective_context",
];

/// An answer that a module gives instead of the upstream's.
#[derive(Debug)]
pub struct LocalResponse {
    pub status: StatusCode,
    pub headers: Headers,
    pub body: Bytes,
}

/// What belongs to one machine, and to the request that it works on.
pub struct Host {
    pub exchange: Option<Exchange>,
    /// The response may be changed; the request has been sent.
    pub on_response: bool,
    pub request_body: bool,
    pub response_body: bool,
    pub limits: StoreLimits,
    pub clock: Clock,
    pub configuration: Bytes,
    pub memory: Option<Memory>,
    pub allocate: Option<TypedFunc<i32, i32>>,
    /// The module is asked for memory; it gets nothing while it is.
    allocating: bool,
    /// Bytes that may still be written into messages.
    pub budget: usize,
    pub answer: Option<LocalResponse>,
    pub log: String,
    pub changed: bool,
}

impl Host {
    pub fn new(limits: StoreLimits, clock: Clock, configuration: Bytes, bodies: (bool, bool)) -> Self {
        Self {
            exchange: None,
            on_response: false,
            request_body: bodies.0,
            response_body: bodies.1,
            limits,
            clock,
            configuration,
            memory: None,
            allocate: None,
            allocating: false,
            budget: 0,
            answer: None,
            log: String::new(),
            changed: false,
        }
    }

    fn may_write(&self, map: Map) -> bool {
        self.on_response == (map == Map::Response)
    }

    fn buffer(&self, kind: i32) -> Option<Bytes> {
        let exchange = self.exchange.as_ref();
        match kind {
            0 if self.request_body && !self.on_response => {
                Some(exchange?.request_payload.as_ref()?.bytes().clone())
            }
            1 if self.response_body => Some(exchange?.response_payload.as_ref()?.bytes().clone()),
            6 => Some(Bytes::new()),
            7 => Some(self.configuration.clone()),
            _ => None,
        }
    }
}

type Call<'a> = Caller<'a, Host>;

/// Copying costs fuel, too: a call that moves a megabyte is no single step.
fn charge(caller: &mut Call<'_>, bytes: usize) {
    let left = caller.get_fuel().unwrap_or(0);
    let _ = caller.set_fuel(left.saturating_sub(bytes as u64 / 16));
}

fn range(start: i32, length: i32) -> std::ops::Range<usize> {
    let start = start as u32 as usize;
    start..start + length as u32 as usize
}

fn read(caller: &mut Call<'_>, start: i32, length: i32) -> Result<Vec<u8>, i32> {
    let memory = caller.data().memory.ok_or(INTERNAL)?;
    let bytes = memory.data(&*caller).get(range(start, length)).ok_or(INVALID_MEMORY)?.to_vec();
    charge(caller, bytes.len());
    Ok(bytes)
}

fn text(caller: &mut Call<'_>, start: i32, length: i32) -> Result<String, i32> {
    Ok(String::from_utf8_lossy(&read(caller, start, length)?).into_owned())
}

fn put(caller: &mut Call<'_>, start: i32, bytes: &[u8]) -> Result<(), i32> {
    let memory = caller.data().memory.ok_or(INTERNAL)?;
    let length = i32::try_from(bytes.len()).map_err(|_| INTERNAL)?;
    memory.data_mut(&mut *caller).get_mut(range(start, length)).ok_or(INVALID_MEMORY)?.copy_from_slice(bytes);
    charge(caller, bytes.len());
    Ok(())
}

/// Puts bytes into memory that the module allocates, and tells where.
fn give(caller: &mut Call<'_>, bytes: &[u8], start: i32, length: i32) -> Result<(), i32> {
    let count = i32::try_from(bytes.len()).map_err(|_| INTERNAL)?;
    let place = if bytes.is_empty() { 0 } else { allocate(caller, count)? };
    put(caller, place, bytes)?;
    put(caller, start, &place.to_le_bytes())?;
    put(caller, length, &count.to_le_bytes())
}

fn allocate(caller: &mut Call<'_>, count: i32) -> Result<i32, i32> {
    let allocate = caller.data().allocate.ok_or(INTERNAL)?;
    // Allocating that asks for something to be allocated would go on until the stack of the worker ends.
    if std::mem::replace(&mut caller.data_mut().allocating, true) {
        return Err(INTERNAL);
    }
    let left = caller.get_fuel().unwrap_or(0);
    let _ = caller.set_fuel(left.saturating_add(ALLOCATION));
    let place = allocate.call(&mut *caller, count);
    let used = left.saturating_add(ALLOCATION).saturating_sub(caller.get_fuel().unwrap_or(0));
    let _ = caller.set_fuel(left.saturating_sub(used));
    caller.data_mut().allocating = false;
    place.ok().filter(|place| *place != 0).ok_or(INTERNAL)
}

fn exchange<'a>(caller: &'a mut Call<'_>) -> Result<&'a mut Exchange, i32> {
    caller.data_mut().exchange.as_mut().ok_or(NOT_FOUND)
}

/// Room for what is about to be written into a message.
fn spend(caller: &mut Call<'_>, bytes: usize) -> Result<(), i32> {
    let host = caller.data_mut();
    host.budget = host.budget.checked_sub(bytes).ok_or(INTERNAL)?;
    host.changed = true;
    Ok(())
}

/// Whether a header belongs to the gateway. Leaving it as it is is no failure: filters take the length away when they
/// change a body, and libraries for modules trap on anything but success.
fn is_own(caller: &mut Call<'_>, name: &str) -> bool {
    let own = OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own));
    if own {
        note(caller, &format!("{name} belongs to the gateway and stays as it is"));
    }
    own
}

/// A map by its number; `None` for trailers, of which there are never any.
fn readable(number: i32) -> Result<Option<Map>, i32> {
    match number {
        1 | 3 => Ok(None),
        _ => Map::numbered(number).map(Some).ok_or(BAD_ARGUMENT),
    }
}

/// All of a map. When the request has ended, it is empty: libraries for modules take anything else for a reason to trap.
fn pairs_of(caller: &Call<'_>, number: i32) -> Result<Vec<u8>, i32> {
    let map = readable(number)?;
    let pairs = map.zip(caller.data().exchange.as_ref()).map(|(map, exchange)| map.pairs(exchange));
    Ok(maps::write_pairs(&pairs.unwrap_or_default()))
}

/// A map that may be written now.
fn writable(caller: &Call<'_>, number: i32) -> Result<Map, i32> {
    let map = Map::numbered(number).ok_or(BAD_ARGUMENT)?;
    if caller.data().may_write(map) { Ok(map) } else { Err(BAD_ARGUMENT) }
}

fn note(caller: &mut Call<'_>, words: &str) {
    let log = &mut caller.data_mut().log;
    if log.len() < MOST_LOG {
        let end = words.floor_char_boundary(MOST_LOG - log.len());
        if !log.is_empty() {
            log.push_str("; ");
        }
        log.push_str(&Escape::Text.apply(words[..end].into()));
    }
}

/// What a function of the ABI answers.
fn status(function: impl FnOnce() -> Result<(), i32>) -> i32 {
    function().map_or_else(|status| status, |()| OK)
}

/// What was written did not fit; why goes to the record.
fn fit(caller: &mut Call<'_>, result: Result<(), engine::language::SetError>) -> Result<(), i32> {
    result.map_err(|problem| {
        note(caller, &problem.0);
        BAD_ARGUMENT
    })
}

/// Everything that modules can import.
pub fn offer(linker: &mut Linker<Host>) -> Result<(), LinkerError> {
    macro_rules! offer {
        ($($name:literal => |$caller:ident $(, $arg:ident)*| $body:block)+) => {$(
            linker.func_wrap("env", $name, |mut caller: Call<'_> $(, $arg: i32)*| -> i32 {
                let $caller = &mut caller;
                status(|| $body)
            })?;
        )+};
    }
    offer! {
        "proxy_log" => |caller, _level, start, length| {
            let words = text(caller, start, length)?;
            note(caller, &words);
            Ok(())
        }
        "proxy_get_log_level" => |caller, out| { put(caller, out, &2_i32.to_le_bytes()) }
        "proxy_get_current_time_nanoseconds" => |caller, out| {
            let now = caller.data().clock.now().0;
            put(caller, out, &now.to_le_bytes())
        }
        "proxy_get_buffer_bytes" => |caller, kind, from, most, start, length| {
            let bytes = caller.data().buffer(kind).filter(|bytes| !bytes.is_empty()).ok_or(NOT_FOUND)?;
            let from = (from as u32 as usize).min(bytes.len());
            let end = from.saturating_add(most as u32 as usize).min(bytes.len());
            give(caller, &bytes[from..end], start, length)
        }
        "proxy_get_buffer_status" => |caller, kind, length, flags| {
            let count = caller.data().buffer(kind).ok_or(NOT_FOUND)?.len();
            put(caller, length, &u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes())?;
            put(caller, flags, &0_u32.to_le_bytes())
        }
        "proxy_set_buffer_bytes" => |caller, kind, from, count, start, length| {
            let new = read(caller, start, length)?;
            spend(caller, new.len())?;
            set_buffer(caller.data_mut(), kind, from, count, &new)
        }
        "proxy_get_header_map_size" => |caller, map, out| {
            let size = pairs_of(caller, map)?.len();
            put(caller, out, &u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes())
        }
        "proxy_get_header_map_pairs" => |caller, map, start, length| {
            let pairs = pairs_of(caller, map)?;
            give(caller, &pairs, start, length)
        }
        "proxy_set_header_map_pairs" => |caller, map, start, length| {
            let map = writable(caller, map)?;
            let bytes = read(caller, start, length)?;
            spend(caller, bytes.len())?;
            let pairs = maps::read_pairs(&bytes).ok_or(BAD_ARGUMENT)?;
            let result = map.replace_all(exchange(caller)?, &pairs);
            fit(caller, result)
        }
        "proxy_get_header_map_value" => |caller, map, name, name_length, start, length| {
            let map = readable(map)?.ok_or(NOT_FOUND)?;
            let name = text(caller, name, name_length)?;
            let value = map.get(exchange(caller)?, &name).ok_or(NOT_FOUND)?;
            give(caller, &value, start, length)
        }
        "proxy_replace_header_map_value" => |caller, map, name, name_length, value, value_length| {
            let map = writable(caller, map)?;
            let (name, value) = (text(caller, name, name_length)?, text(caller, value, value_length)?);
            if is_own(caller, &name) {
                return Ok(());
            }
            spend(caller, name.len() + value.len())?;
            let result = map.replace(exchange(caller)?, &name, &value);
            fit(caller, result)
        }
        "proxy_add_header_map_value" => |caller, map, name, name_length, value, value_length| {
            let map = writable(caller, map)?;
            let (name, value) = (text(caller, name, name_length)?, text(caller, value, value_length)?);
            if is_own(caller, &name) {
                return Ok(());
            }
            spend(caller, name.len() + value.len())?;
            let result = map.add(exchange(caller)?, &name, &value);
            fit(caller, result)
        }
        "proxy_remove_header_map_value" => |caller, map, name, name_length| {
            let map = writable(caller, map)?;
            let name = text(caller, name, name_length)?;
            if is_own(caller, &name) {
                return Ok(());
            }
            spend(caller, 0)?;
            let result = map.remove(exchange(caller)?, &name);
            fit(caller, result)
        }
        "proxy_get_property" => |caller, path, path_length, start, length| {
            let path = text(caller, path, path_length)?;
            let value = maps::property(exchange(caller)?, &path).ok_or(NOT_FOUND)?;
            give(caller, &value, start, length)
        }
        "proxy_set_property" => |caller, path, path_length, value, value_length| {
            let (path, value) = (text(caller, path, path_length)?, text(caller, value, value_length)?);
            spend(caller, path.len() + value.len())?;
            let result = maps::set_property(exchange(caller)?, &path, &value);
            fit(caller, result)
        }
        "proxy_send_local_response" =>
            |caller, code, details, details_length, body, body_length, pairs, pairs_length, _grpc| {
                let words = text(caller, details, details_length)?;
                let (body, pairs) = (read(caller, body, body_length)?, read(caller, pairs, pairs_length)?);
                spend(caller, body.len() + pairs.len())?;
                let answer = local_response(code, body, &pairs).ok_or(BAD_ARGUMENT)?;
                if !words.is_empty() {
                    note(caller, &words);
                }
                caller.data_mut().answer.get_or_insert(answer);
                Ok(())
            }
        "proxy_get_status" => |caller, code, start, length| {
            put(caller, code, &0_u32.to_le_bytes())?;
            give(caller, b"", start, length)
        }
        "proxy_set_effective_context" => |_caller, _context| { Ok(()) }
    }
    Ok(())
}

/// What everything that is not offered says.
pub const fn unimplemented() -> i32 {
    UNIMPLEMENTED
}

/// Whether a function of this name is there and does something.
pub fn is_offered(name: &str) -> bool {
    OFFERED.contains(&name)
}

fn local_response(code: i32, body: Vec<u8>, pairs: &[u8]) -> Option<LocalResponse> {
    let status = u16::try_from(code).ok().filter(|code| (200..600).contains(code))?;
    let mut headers = Headers::new();
    for (name, value) in maps::read_pairs(pairs)? {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        if !OWN_HEADERS.contains(&name.as_str()) {
            headers.append_bytes(&name, Escape::Header.apply(value.into()).trim().as_bytes());
        }
    }
    Some(LocalResponse { status: StatusCode::from_u16(status).ok()?, headers, body: body.into() })
}

/// Puts bytes in the place of a part of a body: all of it, or none to put them before or behind.
fn set_buffer(host: &mut Host, kind: i32, from: i32, count: i32, new: &[u8]) -> Result<(), i32> {
    let (allowed, on_response) = match kind {
        0 => (host.request_body && !host.on_response, false),
        1 => (host.response_body && host.on_response, true),
        _ => (false, false),
    };
    let exchange = host.exchange.as_mut().filter(|_| allowed).ok_or(BAD_ARGUMENT)?;
    let (headers, payload) = if on_response {
        (&mut exchange.response_headers, &mut exchange.response_payload)
    } else {
        (&mut exchange.headers, &mut exchange.request_payload)
    };
    let old = payload.as_ref().map(Payload::bytes).cloned().unwrap_or_default();
    let from = (from as u32 as usize).min(old.len());
    let end = from.saturating_add(count as u32 as usize).min(old.len());
    headers.remove_of_body();
    payload.get_or_insert_default().replace([&old[..from], new, &old[end..]].concat());
    Ok(())
}
