//! Parameters of requests: each at most once, and those without a value as if they were not there (RFC 6749, 3.1).

use crate::error::OauthError;

/// Parameters that are understood; more are somebody's attempt to keep us busy.
const MOST: usize = 50;

/// The parameters of a form or a query.
#[derive(Debug, Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    pub fn parse(text: &[u8]) -> Result<Self, OauthError> {
        let mut all: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text) {
            if value.contains('\u{fffd}') {
                return Err(OauthError::invalid_request("a parameter is not UTF-8"));
            }
            if all.iter().any(|(known, _)| *known == name) {
                // What it is called is said by somebody else.
                return Err(OauthError::invalid_request("a parameter is there more than once"));
            }
            if all.len() >= MOST {
                return Err(OauthError::invalid_request("there are too many parameters"));
            }
            all.push((name.into_owned(), value.into_owned()));
        }
        all.retain(|(_, value)| !value.is_empty());
        Ok(Self(all))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|(name, _)| !names.contains(&name.as_str()));
        self
    }

    pub fn with(self, name: &str, value: &str) -> Self {
        let mut form = self.without(&[name]);
        form.0.push((name.to_owned(), value.to_owned()));
        form
    }

    /// All of it as a query, with what becomes of each value.
    pub fn query(&self, change: impl Fn(&str, &str) -> Option<String>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.all() {
            if let Some(value) = change(name, value) {
                query.append_pair(name, &value);
            }
        }
        query.finish()
    }

    pub fn needs(&self, name: &'static str) -> Result<&str, OauthError> {
        self.get(name).ok_or_else(|| OauthError::invalid_request(format!("`{name}` is missing")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_there_once_or_not_at_all() {
        let form = Form::parse(b"a=1&b=&c=x+y%2B").expect("it is a form");
        assert_eq!((form.get("a"), form.get("b"), form.get("c")), (Some("1"), None, Some("x y+")));
        for wrong in ["a=1&a=2", "a=1&%61=2", "a=%ff", "a=&a="] {
            assert_eq!(Form::parse(wrong.as_bytes()).expect_err(wrong).code, "invalid_request");
        }
        assert!(Form::parse("a=1&".repeat(60).as_bytes()).is_err());
    }
}
