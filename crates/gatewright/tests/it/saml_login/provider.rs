//! An identity provider with SAML 2.0, whose messages `xmlsec1` signs and encrypts.

use std::{
    io::Read,
    path::Path,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

use base64ct::{Base64, Encoding};
use flate2::read::DeflateDecoder;
use tempfile::TempDir;
use testkit::Upstream;

pub(crate) const ENTITY: &str = "https://id.example.com/saml";
const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
pub(crate) const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
pub(crate) const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";

fn run(program: &str, folder: &Path, arguments: &[&str]) -> String {
    let ended = Command::new(program).current_dir(folder).args(arguments).output();
    let ended = ended.unwrap_or_else(|error| panic!("{program}, see scripts/setup: {error}"));
    assert!(ended.status.success(), "{program}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).expect("text")
}

/// An RSA key with its certificate, in a folder of their own.
pub(crate) struct Key(TempDir);

impl Key {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary folders can be made");
        let files = ["-keyout", "key.pem", "-out", "certificate.pem"];
        let about = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=test"];
        run("openssl", folder.path(), &[&about[..], &files].concat());
        Self(folder)
    }

    pub fn file(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    pub fn certificate(&self) -> String {
        std::fs::read_to_string(self.file("certificate.pem")).expect("a certificate")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).expect("a file");
    }

    /// Fills in the first signature of a message.
    pub fn sign(&self, xml: &str) -> String {
        self.sign_with(xml, &["--privkey-pem", "key.pem,certificate.pem"])
    }

    /// The same with the certificate, which everybody knows, as a secret.
    pub fn sign_with_certificate_as_secret(&self, xml: &str) -> String {
        self.sign_with(xml, &["--hmackey", "certificate.pem"])
    }

    fn sign_with(&self, xml: &str, key: &[&str]) -> String {
        self.write("message.xml", xml);
        let ids = [format!("{ASSERTION}:Assertion"), format!("{PROTOCOL}:Response")];
        let ids = ["--id-attr:ID", &ids[0], "--id-attr:ID", &ids[1]];
        body(&run("xmlsec1", self.0.path(), &[&["--sign"][..], key, &ids, &["message.xml"]].concat()))
    }

    /// Encrypts an assertion for who has this key.
    pub fn encrypt(&self, assertion: &str) -> String {
        self.write(
            "template.xml",
            "<xenc:EncryptedData xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\" \
             Type=\"http://www.w3.org/2001/04/xmlenc#Element\">\
             <xenc:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes256-gcm\"/>\
             <ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><xenc:EncryptedKey>\
             <xenc:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p\"/>\
             <xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo>\
             <xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedData>",
        );
        self.write("assertion.xml", assertion);
        let key = ["--pubkey-cert-pem", "certificate.pem", "--session-key", "aes-256"];
        let data = ["--xml-data", "assertion.xml", "template.xml"];
        let sealed = run("xmlsec1", self.0.path(), &[&["--encrypt"][..], &key, &data].concat());
        format!(
            "<saml:EncryptedAssertion xmlns:saml=\"{ASSERTION}\">{}</saml:EncryptedAssertion>",
            body(&sealed)
        )
    }

    /// Whether this key has signed something, with RSA and SHA-256.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        std::fs::write(self.file("signed"), message).expect("a file");
        std::fs::write(self.file("signature"), signature).expect("a file");
        let public = run("openssl", self.0.path(), &["x509", "-in", "certificate.pem", "-noout", "-pubkey"]);
        self.write("public.pem", &public);
        let verify = ["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "signed"];
        let ended = Command::new("openssl").current_dir(self.0.path()).args(verify).output();
        ended.expect("openssl").status.success()
    }
}

/// A document without its declaration.
fn body(xml: &str) -> String {
    xml.trim_start_matches("<?xml version=\"1.0\"?>").trim().to_owned()
}

/// What serves metadata, and is down where there are none.
pub(crate) struct Provider {
    pub key: Key,
    upstream: Upstream,
    served: Arc<Mutex<Option<String>>>,
}

impl Provider {
    pub async fn start() -> Self {
        let served = Arc::new(Mutex::new(None));
        let serves = Arc::clone(&served);
        let upstream = Upstream::respond(move |_| {
            let text: Option<String> = serves.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let status = if text.is_some() { 200 } else { 503 };
            let response = http::Response::builder().status(status);
            response.body(testkit::body::full(text.unwrap_or_default())).expect("a response")
        });
        let provider = Self { key: Key::new(), upstream: upstream.start().await, served };
        provider.serve(Some(provider.metadata(&[&provider.key], "")));
        provider
    }

    pub fn metadata_url(&self) -> String {
        format!("{}/metadata", self.upstream.url())
    }

    pub fn serve(&self, metadata: Option<String>) {
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) = metadata;
    }

    /// Metadata with these keys, and these attributes of the role.
    pub fn metadata(&self, keys: &[&Key], role: &str) -> String {
        let keys = keys.iter().map(|key| {
            let certificate = key.certificate();
            let lines = certificate.lines().filter(|line| !line.starts_with("-----"));
            let text = lines.collect::<Vec<_>>().join("\n");
            format!(
                "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>\n{text}\n\
                 </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
            )
        });
        format!(
            "<?xml version=\"1.0\"?><!-- as providers write it -->\n<md:EntityDescriptor \
             xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" \
             entityID=\"{ENTITY}\"><md:IDPSSODescriptor {role} protocolSupportEnumeration=\"{PROTOCOL}\">{}\
             <md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Location=\"{url}/post\"/>\
             <md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" \
             Location=\"{url}/sso?realm=staff\"/></md:IDPSSODescriptor></md:EntityDescriptor>",
            keys.collect::<String>(),
            url = self.upstream.url(),
        )
    }
}

/// A request as an address brings it.
pub(crate) fn request_in(location: &str) -> String {
    let deflated = parameter(location, "SAMLRequest").expect("a request");
    let deflated = Base64::decode_vec(&deflated).expect("base64");
    let mut text = String::new();
    DeflateDecoder::new(&deflated[..]).read_to_string(&mut text).expect("deflated text");
    text
}

pub(crate) fn parameter(location: &str, name: &str) -> Option<String> {
    let query = location.split_once('?').map_or("", |(_, query)| query);
    let mut found = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    found.next().map(|(_, value)| value.into_owned())
}

pub(crate) fn attribute(xml: &str, name: &str) -> String {
    let found = xml.split_once(&format!(" {name}=\"")).and_then(|(_, rest)| rest.split_once('"'));
    found.unwrap_or_else(|| panic!("{name} is missing: {xml}")).0.to_owned()
}

/// What an assertion and the response around it say.
#[derive(Clone)]
pub(crate) struct Message {
    pub id: &'static str,
    pub issuer: String,
    pub audience: String,
    pub recipient: String,
    pub destination: String,
    pub in_response_to: Option<String>,
    pub not_before: &'static str,
    pub not_on_or_after: &'static str,
    /// As XML.
    pub name: &'static str,
    pub name_format: &'static str,
    pub group: &'static str,
    pub status: &'static str,
    /// Of the signature, and of its digest.
    pub algorithms: (&'static str, &'static str),
}

impl Message {
    /// The answer to a request: `ann`, in the group `staff`.
    pub fn answer_to(location: &str) -> Self {
        let request = request_in(location);
        let recipient = attribute(&request, "AssertionConsumerServiceURL");
        let in_response_to = Some(attribute(&request, "ID"));
        Self { in_response_to, ..Self::about_ann(recipient.replace("/acs", "/metadata"), recipient) }
    }

    /// That somebody is `ann`, in the group `staff`.
    pub fn about_ann(audience: String, recipient: String) -> Self {
        Self {
            id: "_assertion-1",
            issuer: ENTITY.to_owned(),
            audience,
            destination: recipient.clone(),
            recipient,
            in_response_to: None,
            not_before: "2026-01-15T09:59:00Z",
            not_on_or_after: "2026-01-15T10:05:00Z",
            name: "ann",
            name_format: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
            group: "staff",
            status: "Success",
            algorithms: (RSA_SHA256, SHA256),
        }
    }

    fn answers(&self) -> String {
        self.in_response_to.iter().map(|id| format!(" InResponseTo=\"{id}\"")).collect()
    }

    /// A place for a signature over what has an id.
    pub fn signature(&self, id: &str) -> String {
        let (method, digest) = self.algorithms;
        format!(
            "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo>\
             <ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>\
             <ds:SignatureMethod Algorithm=\"{method}\"/><ds:Reference URI=\"#{id}\"><ds:Transforms>\
             <ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>\
             <ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms>\
             <ds:DigestMethod Algorithm=\"{digest}\"/><ds:DigestValue/></ds:Reference></ds:SignedInfo>\
             <ds:SignatureValue/></ds:Signature>"
        )
    }

    fn assertion_with(&self, signature: &str) -> String {
        let Self { id, issuer, audience, recipient, not_before, not_on_or_after, name, .. } = self;
        format!(
            "<saml:Assertion xmlns:saml=\"{ASSERTION}\" ID=\"{id}\" Version=\"2.0\" IssueInstant=\"2026-01-15T10:00:00Z\">\
             <saml:Issuer>{issuer}</saml:Issuer>{signature}<saml:Subject><saml:NameID Format=\"{format}\">{name}</saml:NameID>\
             <saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\">\
             <saml:SubjectConfirmationData{answers} NotOnOrAfter=\"{not_on_or_after}\" Recipient=\"{recipient}\"/>\
             </saml:SubjectConfirmation></saml:Subject>\
             <saml:Conditions NotBefore=\"{not_before}\" NotOnOrAfter=\"{not_on_or_after}\"><saml:AudienceRestriction>\
             <saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>\
             <saml:AuthnStatement AuthnInstant=\"2026-01-15T10:00:00Z\"/>\
             <saml:AttributeStatement><saml:Attribute Name=\"groups\"><saml:AttributeValue>other</saml:AttributeValue>\
             <saml:AttributeValue>{group}</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>",
            format = self.name_format,
            answers = self.answers(),
            group = self.group,
        )
    }

    pub fn assertion(&self) -> String {
        self.assertion_with("")
    }

    /// The assertion with a place for its signature.
    pub fn assertion_to_sign(&self) -> String {
        self.assertion_with(&self.signature(self.id))
    }

    /// A response around something.
    pub fn response(&self, content: &str) -> String {
        self.response_with("", content)
    }

    /// A response with a place for its signature.
    pub fn response_to_sign(&self, content: &str) -> String {
        self.response_with(&self.signature("_response-1"), content)
    }

    fn response_with(&self, signature: &str, content: &str) -> String {
        let Self { issuer, destination, status, .. } = self;
        format!(
            "<samlp:Response xmlns:samlp=\"{PROTOCOL}\" ID=\"_response-1\" Version=\"2.0\" \
             IssueInstant=\"2026-01-15T10:00:00Z\" Destination=\"{destination}\"{answers}>\
             <saml:Issuer xmlns:saml=\"{ASSERTION}\">{issuer}</saml:Issuer>{signature}<samlp:Status>\
             <samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:{status}\"/></samlp:Status>{content}</samlp:Response>",
            answers = self.answers(),
        )
    }

    /// The usual: a response with a signed assertion.
    pub fn signed_by(&self, key: &Key) -> String {
        self.response(&key.sign(&self.assertion_to_sign()))
    }
}
