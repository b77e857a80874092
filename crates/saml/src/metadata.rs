//! Metadata (SAML 2.0 Metadata): read of an identity provider, written of a service provider.

use jose::KeySet;
use uppsala::{Document, NodeId};

use crate::{
    escape,
    xml::{self, DSIG, METADATA, PROTOCOL},
};

const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";

/// Who signs assertions.
#[derive(Debug)]
pub struct Signer {
    pub entity_id: String,
    pub keys: KeySet,
    /// Until when this counts, in seconds since 1970.
    pub valid_until: Option<u64>,
}

/// An identity provider.
#[derive(Debug)]
pub struct IdentityProvider {
    pub signer: Signer,
    /// Where browsers are sent to with a request.
    pub sso_url: String,
    /// Whether it takes requests only when they are signed.
    pub wants_signed_requests: bool,
}

impl IdentityProvider {
    /// From its metadata, or those of several where one is named. The text says what is wrong.
    pub fn read(text: &str, entity_id: Option<&str>) -> Result<Self, String> {
        let document = xml::document(text)?;
        let (role, signer) = Signer::find(&document, entity_id)?;
        let mut places = xml::named(&document, role, METADATA, "SingleSignOnService")
            .filter(|place| xml::attribute(&document, *place, "Binding") == Some(REDIRECT));
        let place = places.find_map(|place| xml::attribute(&document, place, "Location"));
        let place = place.ok_or("they have no `SingleSignOnService` with HTTP-Redirect")?;
        Ok(Self {
            signer,
            sso_url: place.to_owned(),
            wants_signed_requests: is_true(xml::attribute(&document, role, "WantAuthnRequestsSigned")),
        })
    }
}

impl Signer {
    /// The same, of whom nobody logs in at.
    pub fn read(text: &str, entity_id: Option<&str>) -> Result<Self, String> {
        let document = xml::document(text)?;
        Self::find(&document, entity_id).map(|(_, signer)| signer)
    }

    /// The role that signs, and who has it.
    fn find(document: &Document<'_>, entity_id: Option<&str>) -> Result<(NodeId, Self), String> {
        let root = document.document_element().ok_or("there is no element")?;
        let entities: Vec<_> = if xml::is(document, root, METADATA, "EntitiesDescriptor") {
            xml::named(document, root, METADATA, "EntityDescriptor").collect()
        } else if xml::is(document, root, METADATA, "EntityDescriptor") {
            vec![root]
        } else {
            return Err("found no `EntityDescriptor` of SAML 2.0".to_owned());
        };
        let name_of = |entity| xml::attribute(document, entity, "entityID");
        let found = match entity_id {
            Some(wanted) => entities.into_iter().find(|entity| name_of(*entity) == Some(wanted)),
            None if entities.len() == 1 => entities.into_iter().next(),
            None => return Err("they are of several; say which by `entityId`".to_owned()),
        };
        let entity = found.ok_or_else(|| format!("they are not of `{}`", entity_id.unwrap_or_default()))?;
        let entity_id = name_of(entity).filter(|name| !name.is_empty()).ok_or("there is no `entityID`")?;
        let speaks = |role: &_| {
            let protocols = xml::attribute(document, *role, "protocolSupportEnumeration").unwrap_or_default();
            protocols.split_ascii_whitespace().any(|protocol| protocol == PROTOCOL)
        };
        let role = xml::named(document, entity, METADATA, "IDPSSODescriptor").find(speaks);
        let role = role.ok_or("they are not of an identity provider with SAML 2.0 (`IDPSSODescriptor`)")?;
        let mut keys = KeySet::default();
        for key in xml::named(document, role, METADATA, "KeyDescriptor") {
            if xml::attribute(document, key, "use").is_none_or(|purpose| purpose == "signing") {
                keys.add(keys_of(document, key)?);
            }
        }
        if keys.is_empty() {
            return Err("they have no certificate for signatures (`X509Certificate`)".to_owned());
        }
        let until = |node| xml::time(document, node, "validUntil").map_err(|problem| problem.detail);
        let valid_until = [until(root)?, until(entity)?, until(role)?].into_iter().flatten().min();
        Ok((role, Self { entity_id: entity_id.to_owned(), keys, valid_until }))
    }
}

fn is_true(text: Option<&str>) -> bool {
    matches!(text.map(str::trim), Some("true" | "1"))
}

fn keys_of(document: &Document<'_>, descriptor: NodeId) -> Result<KeySet, String> {
    let mut keys = KeySet::default();
    let infos = xml::named(document, descriptor, DSIG, "KeyInfo");
    let certificates = infos
        .flat_map(|info| xml::named(document, info, DSIG, "X509Data"))
        .flat_map(|data| xml::named(document, data, DSIG, "X509Certificate"));
    for certificate in certificates {
        let text = xml::text(document, certificate).unwrap_or_default();
        let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", text.trim());
        keys.add(KeySet::of_pem(pem.as_bytes()).map_err(|problem| format!("a certificate: {problem}"))?);
    }
    Ok(keys)
}

/// What a service provider says of itself.
#[derive(Debug, Clone, Copy)]
pub struct ServiceProvider<'s> {
    pub entity_id: &'s str,
    /// Where responses go.
    pub answer_to: &'s str,
    /// Its certificate as PEM, where it has a key.
    pub certificate: Option<&'s str>,
    pub signs_requests: bool,
    pub opens_assertions: bool,
}

impl ServiceProvider<'_> {
    pub fn metadata(&self) -> String {
        let key = |purpose: &str, wanted: bool| {
            let Some(pem) = self.certificate.filter(|_| wanted) else { return String::new() };
            let lines = pem.lines().skip_while(|line| !line.starts_with("-----BEGIN CERTIFICATE"));
            let body: String = lines.skip(1).take_while(|line| !line.starts_with("-----")).collect();
            let methods = if purpose == "encryption" {
                "<md:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes256-gcm\"/>\
                 <md:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes128-gcm\"/>\
                 <md:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p\"/>"
            } else {
                ""
            };
            format!(
                "<md:KeyDescriptor use=\"{purpose}\"><ds:KeyInfo xmlns:ds=\"{DSIG}\"><ds:X509Data><ds:X509Certificate>{}\
                 </ds:X509Certificate></ds:X509Data></ds:KeyInfo>{methods}</md:KeyDescriptor>",
                escape(body.trim())
            )
        };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<md:EntityDescriptor xmlns:md=\"{METADATA}\" entityID=\"{}\">\
             <md:SPSSODescriptor AuthnRequestsSigned=\"{}\" WantAssertionsSigned=\"true\" \
             protocolSupportEnumeration=\"{PROTOCOL}\">{}{}<md:AssertionConsumerService Binding=\"{POST}\" \
             Location=\"{}\" index=\"0\" isDefault=\"true\"/></md:SPSSODescriptor></md:EntityDescriptor>\n",
            escape(self.entity_id),
            self.signs_requests,
            key("signing", self.signs_requests),
            key("encryption", self.opens_assertions),
            escape(self.answer_to),
        )
    }
}
