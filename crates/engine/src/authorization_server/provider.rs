//! What is known of products that issue tokens: in which of their claims things are found.

use model::authorization_server::{TokenClaims, TokenProvider};

use super::ClaimNames;

/// Claims by product: client, user, scopes, groups.
type Row = (TokenProvider, [&'static [&'static str]; 4]);

const PROVIDERS: &[Row] = &[
    (
        TokenProvider::Any,
        [
            &["client_id", "azp", "cid", "appid"],
            &["preferred_username", "username", "sub"],
            &["scope", "scp"],
            &["groups", "roles"],
        ],
    ),
    (TokenProvider::Auth0, [&["azp", "client_id"], &["sub"], &["scope"], &["permissions"]]),
    (
        TokenProvider::EntraId,
        [&["azp", "appid"], &["preferred_username", "upn", "sub"], &["scp"], &["groups", "roles"]],
    ),
    (
        TokenProvider::ForgeRock,
        [&["client_id", "azp"], &["username", "subname", "sub"], &["scope"], &["groups"]],
    ),
    (
        TokenProvider::Keycloak,
        [
            &["azp", "client_id"],
            &["preferred_username", "username", "sub"],
            &["scope"],
            &["groups", "realm_access.roles"],
        ],
    ),
    (TokenProvider::Okta, [&["cid", "client_id"], &["sub", "username"], &["scp", "scope"], &["groups"]]),
    (
        TokenProvider::PingFederate,
        [&["client_id"], &["username", "Username", "sub"], &["scope"], &["groups", "memberOf"]],
    ),
    (TokenProvider::Wso2Is, [&["client_id", "azp"], &["username", "sub"], &["scope"], &["groups", "roles"]]),
];

/// The names of claims: as they are written, else those of the product.
pub(crate) fn claims(provider: TokenProvider, written: &TokenClaims) -> ClaimNames {
    let known = PROVIDERS.iter().find(|(product, _)| *product == provider);
    let [client, user, scopes, groups] = known.map_or([&[] as &[&str]; 4], |(_, names)| *names);
    let names = |written: &[String], known: &[&str]| -> Vec<Box<str>> {
        match written {
            [] => known.iter().map(|name| (*name).into()).collect(),
            written => written.iter().map(|name| name.as_str().into()).collect(),
        }
    };
    ClaimNames {
        client_id: names(&written.client_id, client),
        user_name: names(&written.user_name, user),
        scopes: names(&written.scopes, scopes),
        groups: names(&written.groups, groups),
    }
}
