//! Headers of one message: the text as it came, and where in it each line is. Nothing is hashed, copied or counted
//! until a policy changes something, since most requests are looked at two or three times and written out once.

use std::{borrow::Borrow, fmt, str::Utf8Error};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers in the order in which they came, names in the case in which they were written.
///
/// Names and values are always valid: text comes from a strict reader, and everything else through the types of `http`.
#[derive(Clone, Default)]
pub struct Headers {
    /// What came over the network.
    text: Bytes,
    /// What was added here.
    added: Vec<u8>,
    lines: Lines,
}

/// Where the lines of a head are. On the heap: headers are moved more often than they are made.
pub type Lines = Vec<Line>;

/// Where name and value of a header are.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    name: u32,
    name_length: u32,
    /// With the highest bit set, it counts from the beginning of what was added.
    value: u32,
    value_length: u32,
}

const ADDED: u32 = 1 << 31;

impl Line {
    /// A line in the text of a message: start and end of its name, start and end of its value.
    pub fn new(name: usize, name_end: usize, value: usize, value_end: usize) -> Self {
        // A head is far smaller than two gigabytes; one that is not would only be read wrongly.
        Self {
            name: name as u32,
            name_length: (name_end - name) as u32,
            value: value as u32,
            value_length: (value_end - value) as u32,
        }
    }

    /// A line in what was added, its value right behind its name.
    fn added(start: usize, name_length: usize, value_length: usize) -> Self {
        let (name_end, end) = (start + name_length, start + name_length + value_length);
        let line = Self::new(start, name_end, name_end, end);
        Self { name: line.name | ADDED, value: line.value | ADDED, ..line }
    }
}

/// The value of a header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HeaderText<'a>(&'a [u8]);

impl<'a> HeaderText<'a> {
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    pub fn to_str(self) -> Result<&'a str, Utf8Error> {
        std::str::from_utf8(self.0)
    }

    /// The value as text, whatever bytes it has.
    pub fn to_text(self) -> std::borrow::Cow<'a, str> {
        String::from_utf8_lossy(self.0)
    }

    pub fn to_value(self) -> HeaderValue {
        // Text that came in is valid already; an empty value instead of a panic, should that ever be wrong.
        HeaderValue::from_bytes(self.0).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

impl fmt::Debug for HeaderText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_text())
    }
}

impl PartialEq<str> for HeaderText<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for HeaderText<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl Headers {
    pub fn new() -> Self {
        Self::default()
    }

    /// Headers of a message that was read strictly: every name is a token, and no value has a line break.
    pub fn from_text(text: Bytes, lines: Lines) -> Self {
        Self { text, added: Vec::new(), lines }
    }

    pub fn len(&self) -> usize {
        self.lines.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn name_of(&self, line: &Line) -> &[u8] {
        self.part(line.name, line.name_length)
    }

    fn value_of(&self, line: &Line) -> &[u8] {
        self.part(line.value, line.value_length)
    }

    fn part(&self, start: u32, length: u32) -> &[u8] {
        let from: &[u8] = if start & ADDED == 0 { &self.text } else { &self.added };
        let start = (start & !ADDED) as usize;
        from.get(start..start + length as usize).unwrap_or_default()
    }

    fn is(&self, line: &Line, name: &[u8]) -> bool {
        line.name_length as usize == name.len() && self.name_of(line).eq_ignore_ascii_case(name)
    }

    /// The first value of a header; its name in any case.
    pub fn get(&self, name: impl AsRef<str>) -> Option<HeaderText<'_>> {
        let name = name.as_ref().as_bytes();
        let line = self.lines.iter().find(|line| self.is(line, name))?;
        Some(HeaderText(self.value_of(line)))
    }

    /// All values of a header.
    pub fn get_all<'a, 'n, N: AsRef<str> + ?Sized>(
        &'a self,
        name: &'n N,
    ) -> impl DoubleEndedIterator<Item = HeaderText<'a>> + use<'a, 'n, N> {
        let name = name.as_ref().as_bytes();
        self.lines.iter().filter(move |line| self.is(line, name)).map(|line| HeaderText(self.value_of(line)))
    }

    pub fn contains_key(&self, name: impl AsRef<str>) -> bool {
        self.get(name).is_some()
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, HeaderText<'_>)> {
        self.lines().map(|(name, value)| (std::str::from_utf8(name).unwrap_or_default(), HeaderText(value)))
    }

    /// Names and values as they are written.
    pub fn lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.lines.iter().map(|line| (self.name_of(line), self.value_of(line)))
    }

    /// Writes the lines that are wanted, as they came. Neighbours go out in one piece.
    pub fn write(&self, out: &mut BytesMut, mut wanted: impl FnMut(&[u8], &[u8]) -> bool) {
        // Start and end of what is still to be written.
        let (mut start, mut end) = (0, 0);
        for line in &self.lines {
            let (name, value) = (self.name_of(line), self.value_of(line));
            if !wanted(name, value) {
                continue;
            }
            let (line_start, line_end) = (line.name as usize, (line.value + line.value_length) as usize + 2);
            let whole = line.name & ADDED == 0
                && self.text.get(line_end - 2..line_end) == Some(b"\r\n")
                && self.text.get(line_start + name.len()) == Some(&b':');
            if whole && line_start == end && end > start {
                end = line_end;
                continue;
            }
            out.put_slice(&self.text[start..end]);
            (start, end) = if whole { (line_start, line_end) } else { (0, 0) };
            if !whole {
                write_line(out, name, value);
            }
        }
        out.put_slice(&self.text[start..end]);
    }

    /// Gives a header this value, whatever it had. It stays where it was.
    pub fn insert(&mut self, name: impl Borrow<HeaderName>, value: impl Borrow<HeaderValue>) {
        let name = name.borrow();
        let place = self.lines.iter().position(|line| self.is(line, name.as_str().as_bytes()));
        let Some(place) = place else { return self.append(name, value) };
        self.remove(name);
        self.append(name, value);
        if let Some(line) = self.lines.pop() {
            self.lines.insert(place, line);
        }
    }

    /// Gives a header another value.
    pub fn append(&mut self, name: impl Borrow<HeaderName>, value: impl Borrow<HeaderValue>) {
        self.push(name.borrow(), value.borrow().as_bytes());
    }

    /// Adds a value that was taken from other headers, or made of characters that need no check.
    pub fn append_text(&mut self, name: &HeaderName, value: HeaderText<'_>) {
        self.push(name, value.0);
    }

    /// Adds a value that was put together here; `false`, and nothing added, when it cannot be one.
    pub fn append_bytes(&mut self, name: &HeaderName, value: &[u8]) -> bool {
        let valid = value.iter().all(|b| (*b >= 0x20 && *b != 0x7f) || *b == b'\t');
        if valid {
            self.push(name, value);
        }
        valid
    }

    /// Takes over all lines of others.
    pub fn extend(&mut self, others: &Self) {
        for line in &others.lines {
            let (start, name, value) = (self.added.len(), others.name_of(line), others.value_of(line));
            self.added.extend_from_slice(name);
            self.added.extend_from_slice(value);
            self.lines.push(Line::added(start, name.len(), value.len()));
        }
    }

    fn push(&mut self, name: &HeaderName, value: &[u8]) {
        if self.added.capacity() == 0 {
            self.added.reserve(256);
        }
        let (start, name) = (self.added.len(), name.as_str().as_bytes());
        self.added.extend_from_slice(name);
        self.added.extend_from_slice(value);
        self.lines.push(Line::added(start, name.len(), value.len()));
    }

    /// Takes a header away; `false` when there was none.
    pub fn remove(&mut self, name: impl AsRef<str>) -> bool {
        let name = name.as_ref().as_bytes();
        let before = self.lines.len();
        let mut lines = std::mem::take(&mut self.lines);
        lines.retain(|line| !self.is(line, name));
        self.lines = lines;
        self.lines.len() < before
    }

    /// Takes away what describes a body that is no longer there: how it was coded, and what was computed from it.
    /// Its type stays.
    pub fn remove_of_body(&mut self) {
        const OF_BODY: [&[u8]; 7] = [
            b"content-encoding",
            b"content-language",
            b"content-md5",
            b"content-range",
            b"digest",
            b"content-digest",
            b"repr-digest",
        ];
        self.retain(|name| !OF_BODY.iter().any(|other| name.eq_ignore_ascii_case(other)));
    }

    /// Keeps the headers whose name, in the case in which it was written, is wanted.
    pub fn retain(&mut self, mut wanted: impl FnMut(&[u8]) -> bool) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.retain(|line| wanted(self.name_of(line)));
        self.lines = lines;
    }
}

/// Writes one header line.
pub fn write_line(out: &mut BytesMut, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.put_slice(name);
    out.put_slice(b": ");
    out.put_slice(value);
    out.put_slice(b"\r\n");
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl From<&HeaderMap> for Headers {
    fn from(map: &HeaderMap) -> Self {
        let mut headers = Self::new();
        for (name, value) in map {
            headers.append(name, value);
        }
        headers
    }
}

impl From<&Headers> for HeaderMap {
    fn from(headers: &Headers) -> Self {
        let mut map = Self::with_capacity(headers.len());
        for (name, value) in headers.lines() {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                map.append(name, value);
            }
        }
        map
    }
}

impl<N: Borrow<HeaderName>, V: Borrow<HeaderValue>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, HOST};

    use super::*;

    fn sample() -> Headers {
        let text = Bytes::from_static(b"Host: a\r\nX-Two: 1\r\nx-two: \r\n");
        let lines = [Line::new(0, 4, 6, 7), Line::new(9, 14, 16, 17), Line::new(19, 24, 26, 26)];
        Headers::from_text(text, lines.into())
    }

    #[test]
    fn names_are_found_in_any_case_and_values_stay_in_order() {
        let headers = sample();
        assert_eq!(headers.get("host").unwrap(), "a");
        assert_eq!(headers.get(HOST).unwrap(), "a");
        let all: Vec<_> = headers.get_all("X-TWO").map(HeaderText::as_bytes).collect();
        assert_eq!(all, [&b"1"[..], b""]);
        assert!(headers.get("x-tw").is_none());
    }

    #[test]
    fn changes_leave_the_others_as_they_were() {
        let mut headers = sample();
        headers.insert(HOST, HeaderValue::from_static("b"));
        headers.append(ACCEPT, HeaderValue::from_static("*/*"));
        assert!(headers.remove("x-Two") && !headers.remove("x-two"));
        let lines: Vec<_> = headers.iter().map(|(name, value)| (name, value.to_text())).collect();
        assert_eq!(lines, [("host", "b".into()), ("accept", "*/*".into())]);
    }

    #[test]
    fn lines_are_written_as_they_came_and_changes_where_they_belong() {
        let write = |headers: &Headers, but: &str| {
            let mut out = BytesMut::new();
            headers.write(&mut out, |name, _| name != but.as_bytes());
            String::from_utf8(out.to_vec()).unwrap()
        };
        let mut headers = sample();
        assert_eq!(write(&headers, ""), "Host: a\r\nX-Two: 1\r\nx-two: \r\n");
        assert_eq!(write(&headers, "Host"), "X-Two: 1\r\nx-two: \r\n");
        assert_eq!(write(&headers, "X-Two"), "Host: a\r\nx-two: \r\n");
        headers.append(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(HOST, HeaderValue::from_static("b"));
        assert_eq!(write(&headers, "x-two"), "host: b\r\nX-Two: 1\r\naccept: */*\r\n");
        // What another server wrote with other line ends or spaces is written anew.
        let text = Bytes::from_static(b"A:1 \r\nB: 2\nC :3\r\n");
        let lines = vec![Line::new(0, 1, 2, 3), Line::new(6, 7, 9, 10), Line::new(11, 12, 14, 15)];
        assert_eq!(write(&Headers::from_text(text, lines), ""), "A: 1\r\nB: 2\r\nC: 3\r\n");
    }

    #[test]
    fn a_map_and_back_is_the_same() {
        let map = HeaderMap::from(&sample());
        assert_eq!(map.get_all("x-two").iter().count(), 2);
        assert_eq!(HeaderMap::from(&Headers::from(&map)), map);
    }
}
