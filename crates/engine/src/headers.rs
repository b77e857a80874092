//! Headers of one message: the text as it came, and where in it each line is. Nothing is hashed, copied or counted
//! until a policy changes something, since most requests are looked at two or three times and written out once.

use std::{borrow::Borrow, fmt, str::Utf8Error};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

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

/// Where the lines of a head are.
pub type Lines = SmallVec<[Line; 12]>;

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
    pub fn get_all<'a>(
        &'a self,
        name: &'a (impl AsRef<str> + ?Sized),
    ) -> impl DoubleEndedIterator<Item = HeaderText<'a>> {
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

    fn push(&mut self, name: &HeaderName, value: &[u8]) {
        if self.added.capacity() == 0 {
            self.added.reserve(256);
        }
        let start = self.added.len();
        self.added.extend_from_slice(name.as_str().as_bytes());
        let name_end = self.added.len();
        self.added.extend_from_slice(value);
        let mut line = Line::new(start, name_end, name_end, self.added.len());
        line.name |= ADDED;
        line.value |= ADDED;
        self.lines.push(line);
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

    /// Keeps the headers whose name, in the case in which it was written, is wanted.
    pub fn retain(&mut self, mut wanted: impl FnMut(&[u8]) -> bool) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.retain(|line| wanted(self.name_of(line)));
        self.lines = lines;
    }
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
        Headers::from_text(text, lines.into_iter().collect())
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
    fn a_map_and_back_is_the_same() {
        let map = HeaderMap::from(&sample());
        assert_eq!(map.get_all("x-two").iter().count(), 2);
        assert_eq!(HeaderMap::from(&Headers::from(&map)), map);
    }
}
