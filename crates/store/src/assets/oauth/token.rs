//! Access and refresh tokens. Each change takes the next number of the feed, under which nodes ask for it.

use sqlx::{AssertSqlSafe, query, query_as};

use super::{
    super::database::{bigint, in_transaction, reading, unsigned},
    OauthStore,
    batch::Issue,
};
use crate::StoreError;

/// A token, by its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthToken {
    /// SHA-256, in hexadecimal digits.
    pub hash: String,
    pub id: String,
    /// `access` or `refresh`.
    pub kind: String,
    /// All tokens that came from one authorization have the same.
    pub family: String,
    pub client: String,
    pub application: String,
    pub user: Option<String>,
    pub scope: String,
    pub issued_at: u64,
    /// `None`: never.
    pub expires_at: Option<u64>,
    pub used_at: Option<u64>,
    pub revoked_at: Option<u64>,
    /// Where in the feed it was changed last. Nobody but the store sets it.
    pub number: u64,
    /// JSON: what else is known of it.
    pub document: String,
}

impl OauthToken {
    /// The id of the user that it is for.
    pub fn document_subject(&self) -> Option<String> {
        self.said("sub")?.as_str().map(str::to_owned)
    }

    /// How often it can still be refreshed, where there is a limit.
    pub fn document_left(&self) -> Option<u64> {
        self.said("left")?.as_u64()
    }

    /// Thumbprint of the key that it is bound to.
    pub fn document_key(&self) -> Option<String> {
        // Most are bound to none, and are not read for it.
        self.document.contains("\"jkt\"").then(|| self.said("jkt")?.as_str().map(str::to_owned)).flatten()
    }

    /// Thumbprint of the certificate that it is bound to.
    pub fn document_certificate(&self) -> Option<String> {
        let is_bound = self.document.contains("\"x5t#S256\"");
        is_bound.then(|| self.said("x5t#S256")?.as_str().map(str::to_owned)).flatten()
    }

    /// When the user logged in, in seconds since 1970.
    pub fn document_login(&self) -> Option<u64> {
        self.said("at")?.as_u64()
    }

    fn said(&self, name: &str) -> Option<serde_json::Value> {
        let document: serde_json::Value = serde_json::from_str(&self.document).ok()?;
        document.get(name).cloned()
    }
}

/// Which tokens are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenOwner<'a> {
    Id(&'a str),
    Family(&'a str),
    Application(&'a str),
    Client(&'a str),
    User(&'a str),
    /// What a client has from a user, by the name.
    ClientOfUser {
        client: &'a str,
        user: &'a str,
    },
}

/// Which tokens are listed, newest first.
#[derive(Debug, Clone, Default)]
pub struct TokenFilter {
    pub application: Option<String>,
    pub client: Option<String>,
    pub user: Option<String>,
    /// Only those that are not revoked and have not expired at this time.
    pub live_at: Option<u64>,
    /// The page begins after this token: when it was issued, and its id.
    pub before: Option<(u64, String)>,
    pub most: u32,
}

const COLUMNS: &str = "hash, id, kind, family, client, application, username, scope, issued_at, expires_at, used_at, \
                       revoked_at, number, document";

type Row = (
    String,
    String,
    String,
    String,
    String,
    String,
    Option<String>,
    String,
    i64,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    i64,
    String,
);

fn token(row: Row) -> OauthToken {
    let (
        hash,
        id,
        kind,
        family,
        client,
        application,
        user,
        scope,
        issued,
        expires,
        used,
        revoked,
        number,
        document,
    ) = row;
    OauthToken {
        hash,
        id,
        kind,
        family,
        client,
        application,
        user,
        scope,
        issued_at: unsigned(issued),
        expires_at: expires.map(unsigned),
        used_at: used.map(unsigned),
        revoked_at: revoked.map(unsigned),
        number: unsigned(number),
        document,
    }
}

/// Takes the next number of the feed, and keeps all others waiting until the end of the transaction.
macro_rules! next_number {
    ($transaction:ident) => {{
        let (number,): (i64,) = sqlx::query_as(
            "INSERT INTO oauth_feed (only_row, number) VALUES (1, 1) \
             ON CONFLICT (only_row) DO UPDATE SET number = oauth_feed.number + 1 RETURNING number",
        )
        .fetch_one(&mut *$transaction)
        .await?;
        number
    }};
}
pub(super) use next_number;

/// What is kept of a family that is over, so that no token is added to it.
const OVER: &str = "family";
/// For so long: longer than any code is good for.
const OVER_FOR: u64 = 86_400_000_000;
/// Tokens that never expire are known to be revoked for 30 days.
const REMEMBERED: u64 = 30 * 86_400_000_000;
/// Tokens that are deleted at a time.
const AT_A_TIME: i64 = 5_000;

impl OauthStore {
    /// Writes tokens down, unless their family is over. Where they come from a refresh token, it is used up with it;
    /// `false` when it was used up or revoked before, and nothing is written.
    pub async fn put_tokens(
        &self,
        new: Vec<OauthToken>,
        from: Option<(&str, u64)>,
    ) -> Result<bool, StoreError> {
        let from = from.map(|(hash, at)| (hash.to_owned(), at));
        self.put_with_others(Issue { tokens: new, from }).await
    }

    /// Writes down what several requests have issued, each on its own account: whether it was written.
    pub(super) async fn put_now(&self, issues: &[Issue]) -> Result<Vec<bool>, sqlx::Error> {
        in_transaction!(&self.database, |transaction| {
            let number = next_number!(transaction);
            let mut written = Vec::with_capacity(issues.len());
            for Issue { tokens, from } in issues {
                // Nothing is written before it is known that all of it may be.
                let mut may_be = true;
                for token in tokens {
                    let over: Option<(i64,)> =
                        query_as("SELECT expires_at FROM oauth_pending WHERE hash = $1 AND kind = $2")
                            .bind(&token.family)
                            .bind(OVER)
                            .fetch_optional(&mut *transaction)
                            .await?;
                    may_be &= over.is_none();
                }
                if let Some((hash, at)) = from.as_ref().filter(|_| may_be) {
                    let used = query(
                        "UPDATE oauth_token SET used_at = $1, number = $2 WHERE hash = $3 AND kind = 'refresh' \
                         AND used_at IS NULL AND revoked_at IS NULL",
                    )
                    .bind(bigint(*at))
                    .bind(number)
                    .bind(hash)
                    .execute(&mut *transaction)
                    .await?;
                    may_be = used.rows_affected() > 0;
                }
                written.push(may_be);
                for token in tokens.iter().filter(|_| may_be) {
                    query(
                        "INSERT INTO oauth_token (hash, id, kind, family, client, application, username, scope, \
                         issued_at, expires_at, number, document) \
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                    )
                    .bind(&token.hash)
                    .bind(&token.id)
                    .bind(&token.kind)
                    .bind(&token.family)
                    .bind(&token.client)
                    .bind(&token.application)
                    .bind(&token.user)
                    .bind(&token.scope)
                    .bind(bigint(token.issued_at))
                    .bind(token.expires_at.map(bigint))
                    .bind(number)
                    .bind(&token.document)
                    .execute(&mut *transaction)
                    .await?;
                }
            }
            written
        })
    }

    /// A token by its hash.
    pub async fn token(&self, hash: &str) -> Result<Option<OauthToken>, StoreError> {
        let found = self.select("WHERE hash = $1", &[Text(hash)]).await?;
        Ok(found.into_iter().next())
    }

    /// What became of tokens after a number, in order; a page begins after a token.
    pub async fn tokens_after(
        &self,
        number: u64,
        hash: &str,
        most: u32,
    ) -> Result<Vec<OauthToken>, StoreError> {
        self.select(
            "WHERE (number, hash) > ($1, $2) ORDER BY number, hash LIMIT $3",
            &[Number(bigint(number)), Text(hash), Number(i64::from(most))],
        )
        .await
    }

    /// Tokens, newest first.
    pub async fn list_tokens(&self, filter: &TokenFilter) -> Result<Vec<OauthToken>, StoreError> {
        let mut values = Vec::new();
        let mut wanted: Vec<String> = Vec::new();
        let columns =
            [("application", &filter.application), ("client", &filter.client), ("username", &filter.user)];
        // A condition for each that is there, so that each way of looking has its index.
        for (column, value) in columns {
            if let Some(value) = value {
                values.push(Text(value));
                wanted.push(format!("{column} = ${}", values.len()));
            }
        }
        if let Some(now) = filter.live_at {
            values.push(Number(bigint(now)));
            let end = values.len();
            wanted.push(format!(
                "revoked_at IS NULL AND used_at IS NULL AND (expires_at IS NULL OR expires_at > ${end})"
            ));
        }
        if let Some((issued_at, id)) = &filter.before {
            values.extend([Number(bigint(*issued_at)), Text(id)]);
            wanted.push(format!("(issued_at, id) < (${}, ${})", values.len() - 1, values.len()));
        }
        values.push(Number(i64::from(filter.most)));
        let condition =
            if wanted.is_empty() { String::new() } else { format!("WHERE {}", wanted.join(" AND ")) };
        let rest = format!("{condition} ORDER BY issued_at DESC, id DESC LIMIT ${}", values.len());
        self.select(&rest, &values).await
    }

    async fn select(&self, rest: &str, values: &[Value<'_>]) -> Result<Vec<OauthToken>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM oauth_token {rest}");
        let rows = reading!(&self.database, "read tokens in", |pool| {
            let mut query = query_as::<_, Row>(AssertSqlSafe(statement));
            for value in values {
                query = match *value {
                    Number(number) => query.bind(number),
                    Text(text) => query.bind(text.to_owned()),
                };
            }
            query.fetch_all(pool)
        })?;
        Ok(rows.into_iter().map(token).collect())
    }

    /// Revokes tokens; says how many. To a family none is added any more.
    pub async fn revoke(&self, owner: TokenOwner<'_>, at: u64) -> Result<u64, StoreError> {
        let revoked = self.revoke_now(owner, at).await;
        let revoked = revoked.map_err(|cause| self.database.failed("revoke tokens in", cause))?;
        self.announce().await;
        Ok(revoked)
    }

    async fn revoke_now(&self, owner: TokenOwner<'_>, at: u64) -> Result<u64, sqlx::Error> {
        let (column, value, also) = match owner {
            TokenOwner::Id(id) => ("id", id, None),
            TokenOwner::Family(family) => ("family", family, None),
            TokenOwner::Application(application) => ("application", application, None),
            TokenOwner::Client(client) => ("client", client, None),
            TokenOwner::User(user) => ("username", user, None),
            TokenOwner::ClientOfUser { client, user } => ("username", user, Some(client)),
        };
        in_transaction!(&self.database, |transaction| {
            let number = next_number!(transaction);
            if let TokenOwner::Family(family) = owner {
                query(
                    "INSERT INTO oauth_pending (hash, kind, expires_at, document) VALUES ($1, $2, $3, '') \
                     ON CONFLICT (hash) DO NOTHING",
                )
                .bind(family)
                .bind(OVER)
                .bind(bigint(at.saturating_add(OVER_FOR)))
                .execute(&mut *transaction)
                .await?;
            }
            let statement = format!(
                "UPDATE oauth_token SET revoked_at = $1, number = $2 WHERE {column} = $3 \
                 AND revoked_at IS NULL AND client = COALESCE($4, client)"
            );
            let revoked = query(AssertSqlSafe(statement))
                .bind(bigint(at))
                .bind(number)
                .bind(value.to_owned())
                .bind(also.map(str::to_owned))
                .execute(&mut *transaction)
                .await?;
            revoked.rows_affected()
        })
    }

    /// Deletes what has expired, and what was revoked so long ago that every node has heard of it. Says how many tokens
    /// that were.
    pub async fn clean_up(&self, now: u64) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            let deleted = self.clean_up_some(now).await;
            let deleted = deleted.map_err(|cause| self.database.failed("clean up", cause))?;
            all += deleted;
            if deleted < AT_A_TIME.unsigned_abs() {
                return Ok(all);
            }
        }
    }

    async fn clean_up_some(&self, now: u64) -> Result<u64, sqlx::Error> {
        in_transaction!(&self.database, |transaction| {
            query("DELETE FROM oauth_pending WHERE expires_at < $1")
                .bind(bigint(now))
                .execute(&mut *transaction)
                .await?;
            let deleted = query(
                "DELETE FROM oauth_token WHERE hash IN (SELECT hash FROM oauth_token WHERE expires_at < $1 \
                 OR (expires_at IS NULL AND revoked_at < $2) LIMIT $3)",
            )
            .bind(bigint(now))
            .bind(bigint(now.saturating_sub(REMEMBERED)))
            .bind(AT_A_TIME)
            .execute(&mut *transaction)
            .await?;
            deleted.rows_affected()
        })
    }
}

/// What is put in the place of a parameter.
#[derive(Clone, Copy)]
enum Value<'a> {
    Number(i64),
    Text(&'a str),
}

use Value::{Number, Text};
