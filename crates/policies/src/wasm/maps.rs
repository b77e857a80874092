//! Header maps and properties, as modules know them: the message's headers with the pseudo-headers of HTTP/2 in
//! front. What a module writes goes through the same targets as what transformations write.

use engine::{
    Exchange, Headers,
    language::{LanguageCx, SetError, Target},
};
use http::{
    Uri,
    header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
    uri::PathAndQuery,
};

/// Longest value of a header.
const MOST_HEADER: usize = 64 << 10;

/// Which message's headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Map {
    Request,
    Response,
}

impl Map {
    /// By its number in the ABI; trailers are not offered.
    pub fn numbered(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::Request),
            2 => Some(Self::Response),
            _ => None,
        }
    }

    fn side(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }

    fn headers(self, exchange: &Exchange) -> &Headers {
        match self {
            Self::Request => &exchange.headers,
            Self::Response => &exchange.response_headers,
        }
    }

    /// Names in lower case and values, in their order.
    pub fn pairs(self, exchange: &Exchange) -> Vec<(String, Vec<u8>)> {
        let pseudo: &[&str] = match self {
            Self::Request => &[":method", ":path", ":authority", ":scheme"],
            Self::Response => &[":status"],
        };
        let pseudo =
            pseudo.iter().filter_map(|name| Some(((*name).to_owned(), self.pseudo(exchange, name)?)));
        let headers = self.headers(exchange).iter();
        pseudo
            .chain(headers.map(|(name, value)| (name.to_ascii_lowercase(), value.as_bytes().to_vec())))
            .collect()
    }

    fn pseudo(self, exchange: &Exchange, name: &str) -> Option<Vec<u8>> {
        let text = match (self, name) {
            (Self::Request, ":method") => exchange.method.as_str(),
            (Self::Request, ":path") => {
                exchange.uri.path_and_query().map_or(exchange.uri.path(), PathAndQuery::as_str)
            }
            (Self::Request, ":authority") => {
                return match exchange.headers.get(HOST) {
                    Some(host) => Some(host.as_bytes().to_vec()),
                    None => Some(exchange.uri.authority()?.as_str().into()),
                };
            }
            (Self::Request, ":scheme") => scheme(exchange),
            (Self::Response, ":status") => exchange.status.as_str(),
            _ => return None,
        };
        Some(text.as_bytes().to_vec())
    }

    pub fn get(self, exchange: &Exchange, name: &str) -> Option<Vec<u8>> {
        if name.starts_with(':') {
            return self.pseudo(exchange, name);
        }
        self.headers(exchange).get(name).map(|value| value.as_bytes().to_vec())
    }

    fn target(self, name: &str, value: &str) -> Result<Target, SetError> {
        if value.len() > MOST_HEADER {
            return Err(SetError("a header of more than 64 KiB".into()));
        }
        let place = match name {
            ":method" if self == Self::Request => "httpMethod".to_owned(),
            ":status" if self == Self::Response => "statusCode".to_owned(),
            _ => format!("headers.{name}"),
        };
        Target::compile(&format!("{}.{place}", self.side()), &mut LanguageCx::default())
            .map_err(|problem| SetError(problem.message.into()))
    }

    pub fn replace(self, exchange: &mut Exchange, name: &str, value: &str) -> Result<(), SetError> {
        if name == ":path" && self == Self::Request {
            return set_path(exchange, value);
        }
        self.target(name, value)?.set(exchange, value)
    }

    pub fn add(self, exchange: &mut Exchange, name: &str, value: &str) -> Result<(), SetError> {
        if name.starts_with(':') {
            return self.replace(exchange, name, value);
        }
        self.target(name, value)?.add(exchange, value)
    }

    pub fn remove(self, exchange: &mut Exchange, name: &str) -> Result<(), SetError> {
        self.target(name, "")?.remove(exchange)
    }

    /// Puts others in the place of all that can be set; what belongs to the gateway stays.
    pub fn replace_all(self, exchange: &mut Exchange, pairs: &[(String, String)]) -> Result<(), SetError> {
        let own = |name: &str| engine::language::OWN_HEADERS.contains(&name);
        let known: Vec<String> =
            self.headers(exchange).iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        for name in known.iter().filter(|name| !own(name)) {
            self.remove(exchange, name)?;
        }
        for (name, value) in pairs {
            let name = name.to_ascii_lowercase();
            if own(&name) || matches!(&*name, ":authority" | ":scheme") {
                continue;
            }
            self.add(exchange, &name, value)?;
        }
        Ok(())
    }
}

/// Another path below the API's, and another query.
fn set_path(exchange: &mut Exchange, value: &str) -> Result<(), SetError> {
    let invalid = || SetError("not a path and query below the path of the API".into());
    let base = exchange.uri.path().get(..exchange.base_length).unwrap_or_default().to_owned();
    let rest = value.strip_prefix(&*base).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    let (path, query) = match rest.ok_or_else(invalid)?.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest.unwrap_or_default(), None),
    };
    let target = Target::compile("request.path", &mut LanguageCx::default()).map_err(|_| invalid())?;
    target.set(exchange, if path.is_empty() { "/" } else { path })?;
    let path = exchange.uri.path();
    let text = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut parts = exchange.uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(text).map_err(|_| invalid())?);
    exchange.uri = Uri::from_parts(parts).map_err(|_| invalid())?;
    Ok(())
}

fn scheme(exchange: &Exchange) -> &'static str {
    if exchange.client.secure { "https" } else { "http" }
}

/// Whether a request says that a body follows its headers.
pub fn has_body(headers: &Headers) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0")
}

/// A property by its path, whose segments are separated by zero bytes.
pub fn property(exchange: &Exchange, path: &str) -> Option<Vec<u8>> {
    let text = match path.trim_end_matches('\0').replace('\0', ".").as_str() {
        "request.id" => exchange.id.to_string(),
        "request.method" => exchange.method.to_string(),
        "request.path" => return Map::Request.get(exchange, ":path"),
        "request.url_path" => exchange.uri.path().to_owned(),
        "request.query" => exchange.uri.query().unwrap_or_default().to_owned(),
        "request.host" => return Map::Request.get(exchange, ":authority"),
        "request.scheme" => scheme(exchange).to_owned(),
        "request.protocol" => format!("{:?}", exchange.version),
        "response.code" => return Some(i64::from(exchange.status.as_u16()).to_le_bytes().to_vec()),
        "source.address" => exchange.client.ip.to_string(),
        "gatewright.api" => exchange.api()?.names.id.to_string(),
        "gatewright.operation" => exchange.api()?.operation_names(exchange.operation)?.name.to_string(),
        "gatewright.application" => exchange.application()?.name.to_string(),
        variable => exchange.variable(variable)?.to_owned(),
    };
    Some(text.into_bytes())
}

/// Sets a variable of one's own, which later policies read as `${name}`.
pub fn set_property(exchange: &mut Exchange, path: &str, value: &str) -> Result<(), SetError> {
    let name = path.trim_end_matches('\0').replace('\0', ".");
    let target = Target::compile(&name, &mut LanguageCx::default()).ok();
    match target.filter(|target| target.side().is_none()) {
        Some(target) => target.set(exchange, value),
        None => Err(SetError("not the name of a variable of one's own".into())),
    }
}

/// Pairs as the ABI writes them: their number, the lengths of all, then all with a zero byte behind each part.
pub fn write_pairs(pairs: &[(String, Vec<u8>)]) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = number(pairs.len()).to_vec();
    for (name, value) in pairs {
        out.extend(number(name.len()));
        out.extend(number(value.len()));
    }
    for (name, value) in pairs {
        out.extend_from_slice(name.as_bytes());
        out.push(0);
        out.extend_from_slice(value);
        out.push(0);
    }
    out
}

/// Reads what [`write_pairs`] writes; `None` when it is anything else.
pub fn read_pairs(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let number = |place: usize| {
        let four = bytes.get(place..place.checked_add(4)?)?;
        Some(u32::from_le_bytes(four.try_into().ok()?) as usize)
    };
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let count = number(0)?;
    let mut place = count.checked_mul(8)?.checked_add(4).filter(|place| *place <= bytes.len())?;
    let mut text = |length: usize| {
        let end = place.checked_add(length)?;
        let text = String::from_utf8_lossy(bytes.get(place..end)?).into_owned();
        place = end.checked_add(1)?;
        Some(text)
    };
    let mut pairs = Vec::with_capacity(count);
    for index in 0..count {
        let (name, value) = (number(4 + index * 8)?, number(8 + index * 8)?);
        pairs.push((text(name)?, text(value)?));
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_as_they_are_written_and_nothing_else_is() {
        let pairs = [("a".to_owned(), b"1".to_vec()), (String::new(), Vec::new())];
        let bytes = write_pairs(&pairs);
        assert_eq!(
            read_pairs(&bytes).unwrap(),
            [("a".to_owned(), "1".to_owned()), (String::new(), String::new())]
        );
        assert_eq!(read_pairs(&[]), Some(Vec::new()));
        for end in 1..bytes.len() - 1 {
            assert_eq!(read_pairs(&bytes[..end]), None, "{end} bytes");
        }
        assert_eq!(read_pairs(&[0xff; 64]), None);
    }
}
