//! What an assertion says (SAML 2.0 Core, 2; Profiles, 4.1.4.3; RFC 7522, 3): who made it, whom it is about, for whom and until when. Whoever
//! calls this has verified the signature over what is given here.

use uppsala::{Document, NodeId};

use crate::{
    Expected, Purpose, Refusal, Why,
    response::check_issuer,
    xml::{self, ASSERTION},
};

/// The format of names that are made anew for each login.
pub const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";

/// An assertion that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    pub id: String,
    /// Whom it is about; `None` where that is encrypted.
    pub name: Option<NameId>,
    /// Values of attributes by their names.
    pub attributes: Vec<(String, Vec<String>)>,
    /// The request that it answers.
    pub in_response_to: Option<String>,
    /// When it was made, where it says so, in seconds since 1970.
    pub issued: Option<u64>,
    /// Until when it could be brought again, in seconds since 1970.
    pub until: u64,
}

/// What somebody is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameId {
    pub value: String,
    pub format: Option<String>,
}

/// What shows that whoever brings an assertion may do so.
struct Bearer {
    in_response_to: Option<String>,
    until: u64,
}

impl Assertion {
    /// The values of an attribute; none where there is no such attribute.
    pub fn values(&self, name: &str) -> &[String] {
        self.attributes.iter().find(|(known, _)| known == name).map_or(&[], |(_, values)| values)
    }

    pub(crate) fn read(
        document: &Document<'_>,
        node: NodeId,
        expected: &Expected<'_>,
    ) -> Result<Self, Refusal> {
        if !xml::is(document, node, ASSERTION, "Assertion")
            || xml::attribute(document, node, "Version") != Some("2.0")
        {
            return Err(Refusal::malformed("what is signed is no assertion of SAML 2.0"));
        }
        let id = xml::attribute(document, node, "ID").filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| Refusal::malformed("the assertion has no `ID`"))?.to_owned();
        check_issuer(document, xml::needed(document, node, ASSERTION, "Issuer")?, expected)?;
        let conditions = xml::needed(document, node, ASSERTION, "Conditions")?;
        let end = check_conditions(document, conditions, expected)?;
        let subject = xml::needed(document, node, ASSERTION, "Subject")?;
        let bearer = Bearer::find(document, subject, end, expected)?;
        check_login(document, node, expected)?;
        let name = xml::one(document, subject, ASSERTION, "NameID")?;
        let name = name.map(|name| {
            let value = xml::text(document, name);
            let format = xml::attribute(document, name, "Format").map(str::to_owned);
            let value =
                value.ok_or_else(|| Refusal::malformed("`NameID` has something else than text in it"))?;
            Ok::<_, Refusal>(NameId { value, format })
        });
        Ok(Self {
            id,
            name: name.transpose()?,
            attributes: attributes(document, node),
            in_response_to: bearer.in_response_to,
            issued: xml::time(document, node, "IssueInstant")?,
            until: bearer.until.saturating_add(expected.skew),
        })
    }
}

/// Whether it is time for an element with `NotBefore` and `NotOnOrAfter`; tells the latter.
fn check_times(
    document: &Document<'_>,
    node: NodeId,
    expected: &Expected<'_>,
) -> Result<Option<u64>, Refusal> {
    let Expected { now, skew, .. } = expected;
    let before = xml::time(document, node, "NotBefore")?;
    if let Some(before) = before.filter(|before| now.saturating_add(*skew) < *before) {
        let detail = format!("it counts in {} seconds; look at the clocks", before.saturating_sub(*now));
        return Err(Refusal::new(Why::NotYetValid, detail));
    }
    let after = xml::time(document, node, "NotOnOrAfter")?;
    match after.filter(|after| after.saturating_add(*skew) <= *now) {
        Some(after) => {
            let detail = format!("it has expired {} seconds ago", now.saturating_sub(after));
            Err(Refusal::new(Why::Expired, detail))
        }
        None => Ok(after),
    }
}

/// Tells until when they hold, where they say so.
fn check_conditions(
    document: &Document<'_>,
    node: NodeId,
    expected: &Expected<'_>,
) -> Result<Option<u64>, Refusal> {
    let end = check_times(document, node, expected)?;
    let wanted = || expected.audiences.join("` or `");
    let mut is_for_us = false;
    for condition in xml::elements(document, node) {
        if xml::is(document, condition, ASSERTION, "AudienceRestriction") {
            let mut audiences = xml::named(document, condition, ASSERTION, "Audience");
            let is_ours = |audience| {
                let found = xml::text(document, audience);
                found.is_some_and(|found| expected.audiences.contains(&found))
            };
            if !audiences.any(is_ours) {
                let detail = format!("it is for others, expected `{}` as its audience", wanted());
                return Err(Refusal::new(Why::Audience, detail));
            }
            is_for_us = true;
        } else if !["OneTimeUse", "ProxyRestriction"]
            .iter()
            .any(|name| xml::is(document, condition, ASSERTION, name))
        {
            // Core, 2.5.1: with a condition that nobody understands, nobody knows whether it is right.
            return Err(Refusal::malformed("it has a condition that is not understood"));
        }
    }
    if is_for_us {
        return Ok(end);
    }
    let detail = format!("it does not say whom it is for, expected `{}` as its audience", wanted());
    Err(Refusal::new(Why::Audience, detail))
}

impl Bearer {
    /// The first that is right, or what is wrong with the last.
    fn find(
        document: &Document<'_>,
        subject: NodeId,
        end: Option<u64>,
        expected: &Expected<'_>,
    ) -> Result<Self, Refusal> {
        let mut problem = Refusal::new(Why::Recipient, "it is not for who brings it (`cm:bearer`)");
        for confirmation in xml::named(document, subject, ASSERTION, "SubjectConfirmation") {
            if xml::attribute(document, confirmation, "Method") != Some(BEARER) {
                continue;
            }
            match Self::read(document, confirmation, end, expected) {
                Ok(bearer) => return Ok(bearer),
                Err(found) => problem = found,
            }
        }
        Err(problem)
    }

    fn read(
        document: &Document<'_>,
        node: NodeId,
        end: Option<u64>,
        expected: &Expected<'_>,
    ) -> Result<Self, Refusal> {
        let data = xml::one(document, node, ASSERTION, "SubjectConfirmationData")?;
        let data = match (data, end) {
            (Some(data), _) => data,
            (None, Some(until)) if expected.purpose == Purpose::Grant => {
                return Ok(Self { in_response_to: None, until });
            }
            (None, _) => return Err(Refusal::malformed("there is no `SubjectConfirmationData`")),
        };
        let recipient = xml::attribute(document, data, "Recipient").unwrap_or_default();
        if !expected.recipients.iter().any(|known| known == recipient) {
            let wanted = expected.recipients.join("` or `");
            let detail = format!("it is for `{}`, expected `{wanted}`", jose::shown(recipient));
            return Err(Refusal::new(Why::Recipient, detail));
        }
        let until = check_times(document, data, expected)?;
        let until = until.ok_or_else(|| Refusal::malformed("it does not say until when it counts"))?;
        Ok(Self { in_response_to: xml::attribute(document, data, "InResponseTo").map(str::to_owned), until })
    }
}

/// For a login, somebody has to have logged in; their session at the provider must not be over.
fn check_login(document: &Document<'_>, node: NodeId, expected: &Expected<'_>) -> Result<(), Refusal> {
    let mut logins = xml::named(document, node, ASSERTION, "AuthnStatement").peekable();
    if logins.peek().is_none() && expected.purpose == Purpose::Login {
        return Err(Refusal::malformed("it does not say that somebody has logged in (`AuthnStatement`)"));
    }
    for login in logins {
        let end = xml::time(document, login, "SessionNotOnOrAfter")?;
        if end.is_some_and(|end| end.saturating_add(expected.skew) <= expected.now) {
            return Err(Refusal::new(Why::Expired, "the session at the identity provider is over"));
        }
    }
    Ok(())
}

/// What is no text is left out.
fn attributes(document: &Document<'_>, node: NodeId) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let statements = xml::named(document, node, ASSERTION, "AttributeStatement");
    for attribute in statements.flat_map(|statement| xml::named(document, statement, ASSERTION, "Attribute"))
    {
        let Some(name) = xml::attribute(document, attribute, "Name") else { continue };
        let values = xml::named(document, attribute, ASSERTION, "AttributeValue");
        let values: Vec<String> = values.filter_map(|value| xml::text(document, value)).collect();
        match found.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => known.extend(values),
            None => found.push((name.to_owned(), values)),
        }
    }
    found
}
