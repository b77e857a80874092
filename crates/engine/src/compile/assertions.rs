//! What the internal authorization server takes of what another server signs, as far as it can be wrong. Whoever issues
//! tokens reads it.

use std::time::Duration;

use model::{
    ConfigDoc, Diagnostic,
    authorization_server::{AssertionFormat, AssertionSubject, AssertionsDoc},
    diagnostic::nearest,
};

/// How long nodes have to remember what was brought before.
const OLDEST: Duration = Duration::from_secs(86_400);

/// Everything that is wrong with it.
pub(super) fn check(
    doc: &AssertionsDoc,
    config: &ConfigDoc,
    has_keys: bool,
    has_public: bool,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let grant = doc.format.grant();
    let (way, keys) = match doc.format {
        AssertionFormat::Jwt => (
            "jwtBearer",
            "add `jwksUri`, `jwks` or `certificateFile`; a server is asked about access tokens only",
        ),
        AssertionFormat::Saml2 => ("saml2Bearer", "add `samlMetadata` or `certificateFile`"),
    };
    match &config.settings.authorization_server {
        None => found.push(
            Diagnostic::error(
                "",
                "there is no internal authorization server, which would give tokens for them",
            )
            .help("add `settings.authorizationServer` with an `issuer`"),
        ),
        Some(settings) if !settings.grants.contains(&grant) => found.push(
            Diagnostic::warning("", "no token is given for them: the way is not open")
                .help(format!("add `{way}` to `settings.authorizationServer.grants`")),
        ),
        Some(_) => {}
    }
    if !has_keys {
        found.push(Diagnostic::error("", "there are no keys that assertions are verified with").help(keys));
    } else if !has_public {
        found.push(
            Diagnostic::error(
                "",
                "the server signs with a secret only, and whoever verifies could sign, too",
            )
            .help("assertions are signed with a private key: RS256, ES256 and EdDSA are usual"),
        );
    }
    if doc.clients.is_empty() {
        found.push(Diagnostic::error("clients", "found none, expected the ids of those that may bring them"));
    }
    let clients = || config.applications.iter().flat_map(|application| &application.oauth_clients);
    for (place, id) in doc.clients.iter().enumerate() {
        let client = clients().find(|client| client.id == *id);
        let path = format!("clients[{place}]");
        match client {
            // It may come later; until then nobody can be it.
            None => {
                let problem = format!("found `{id}`, which is no client");
                let problem = Diagnostic::warning(path, problem);
                let near = nearest(id, clients().map(|client| client.id.as_str()));
                found.push(match near {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help("clients are in `oauthClients` of applications"),
                });
            }
            Some(client) if !client.grant_types.contains(&grant) => {
                let problem = format!("found `{id}`, which may not take this way");
                found.push(
                    Diagnostic::warning(path, problem)
                        .help(format!("add `{way}` to `grantTypes` of the client")),
                );
            }
            Some(_) => {}
        }
    }
    if doc.acts_for == AssertionSubject::Client {
        if doc.subjects.is_empty() {
            found.push(
                Diagnostic::error("subjects", "missing, so that whoever the server knows would get tokens")
                    .help("write what the assertions have in `sub`, or `subjects: [\"*\"]`"),
            );
        }
        if doc.user_claim.is_some() {
            found.push(
                Diagnostic::error("userClaim", "found one, and tokens are for the client itself")
                    .help("add `actsFor: user`, or leave it out"),
            );
        }
    }
    for (list, texts) in [("subjects", &doc.subjects), ("audiences", &doc.audiences), ("scopes", &doc.scopes)]
    {
        for place in texts.iter().enumerate().filter(|(_, text)| text.is_empty()).map(|(place, _)| place) {
            found.push(Diagnostic::error(format!("{list}[{place}]"), "found an empty text"));
        }
    }
    if doc.user_claim.as_deref().is_some_and(str::is_empty) {
        found.push(Diagnostic::error("userClaim", "found an empty text, expected the name of a claim"));
    }
    if doc.max_age.get().is_zero() || doc.max_age.get() > OLDEST {
        let problem = format!("found {}, expected up to 1d", doc.max_age);
        found.push(
            Diagnostic::error("maxAge", problem).help("a short time limits what a thief can do with one"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn config(grants: &[&str]) -> ConfigDoc {
        let text = json!({
            "settings": { "authorizationServer": { "issuer": "https://id.example", "grants": grants } },
            "applications": [{ "name": "shop", "oauthClients": [
                { "id": "ci", "grantTypes": ["jwtBearer"] }, { "id": "other" },
            ]}],
        });
        serde_json::from_value(text).expect("it is a configuration")
    }

    #[test]
    fn everything_that_is_wrong_with_what_is_taken_is_told_with_its_path() {
        let open = config(&["jwtBearer"]);
        let good = json!({ "clients": ["ci"], "subjects": ["repo:acme/*"] });
        let with = |name: &str, value: Value| {
            let mut doc = good.clone();
            doc[name] = value;
            doc
        };
        for (config, has_keys, has_public, doc, expected) in [
            (&open, true, true, good.clone(), &[][..]),
            (&open, true, true, json!({ "clients": ["ci"], "actsFor": "user" }), &[]),
            (&ConfigDoc::default(), true, true, good.clone(), &["", "clients[0]"]),
            (&config(&["clientCredentials"]), true, true, good.clone(), &[""]),
            (&open, false, true, good.clone(), &[""]),
            (&open, true, false, good.clone(), &[""]),
            (&open, true, true, with("clients", json!([])), &["clients"]),
            (&open, true, true, with("clients", json!(["ci", "c", "other"])), &["clients[1]", "clients[2]"]),
            (&open, true, true, json!({ "clients": ["ci"] }), &["subjects"]),
            (&open, true, true, with("userClaim", json!("name")), &["userClaim"]),
            (&open, true, true, with("subjects", json!(["a", ""])), &["subjects[1]"]),
            (&open, true, true, with("audiences", json!([""])), &["audiences[0]"]),
            (&open, true, true, with("scopes", json!([""])), &["scopes[0]"]),
            (&open, true, true, with("maxAge", json!("0s")), &["maxAge"]),
            (&open, true, true, with("maxAge", json!("2d")), &["maxAge"]),
        ] {
            let parsed = serde_json::from_value(doc.clone()).expect("it is read");
            let found = check(&parsed, config, has_keys, has_public);
            let paths: Vec<_> = found.iter().map(|problem| problem.path.as_str()).collect();
            assert_eq!(paths, expected, "{doc}: {found:?}");
        }
    }
}
