//! What the developer portal keeps beside assets: ratings, comments, sign-ups that nobody has decided on yet, and when keys
//! were used last.

use std::collections::HashMap;

use sqlx::{query, query_as};

use super::{
    AssetStore,
    database::{Database, bigint, in_transaction, reading, unsigned},
};
use crate::StoreError;

/// What an API was rated, by everybody together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rating {
    /// How many have rated it.
    pub count: u64,
    /// All their stars.
    pub stars: u64,
}

/// A comment on an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    pub id: String,
    /// Id of the API.
    pub api: String,
    pub user: String,
    /// Microseconds since 1970.
    pub at: u64,
    pub content: String,
}

/// Somebody who has asked to sign up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignUpRow {
    pub user: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<String>,
    /// What they have to say.
    pub message: Option<String>,
    /// As in `$argon2id$…`.
    pub password_hash: String,
    /// Microseconds since 1970.
    pub at: u64,
}

type CommentRow = (String, String, String, i64, String);
type SignUpColumns = (String, Option<String>, Option<String>, Option<String>, Option<String>, String, i64);

fn comment((id, api, user, at, content): CommentRow) -> Comment {
    Comment { id, api, user, at: unsigned(at), content }
}

fn sign_up((user, first_name, last_name, email, message, password_hash, at): SignUpColumns) -> SignUpRow {
    SignUpRow { user, first_name, last_name, email, message, password_hash, at: unsigned(at) }
}

impl AssetStore {
    /// Writes or deletes rows; says whether there were any. Texts come before numbers in the statement.
    async fn write(
        &self,
        action: &'static str,
        statement: &'static str,
        texts: &[Option<&str>],
        numbers: &[i64],
    ) -> Result<bool, StoreError> {
        let written = write(&self.database, statement, texts, numbers).await;
        written.map_err(|cause| self.database.failed(action, cause))
    }

    /// What APIs were rated, by their ids.
    pub async fn ratings(&self) -> Result<HashMap<String, Rating>, StoreError> {
        let rows = reading!(&self.database, "read ratings in", |pool| {
            query_as::<_, (String, i64, i64)>(
                "SELECT api, COUNT(*), CAST(SUM(stars) AS BIGINT) FROM portal_rating GROUP BY api",
            )
            .fetch_all(pool)
        })?;
        let ratings = rows
            .into_iter()
            .map(|(api, count, stars)| (api, Rating { count: unsigned(count), stars: unsigned(stars) }));
        Ok(ratings.collect())
    }

    /// What somebody has rated an API.
    pub async fn rating_of(&self, api: &str, user: &str) -> Result<Option<u64>, StoreError> {
        let found = reading!(&self.database, "read a rating in", |pool| {
            query_as::<_, (i64,)>("SELECT stars FROM portal_rating WHERE api = $1 AND username = $2")
                .bind(api)
                .bind(user)
                .fetch_optional(pool)
        })?;
        Ok(found.map(|(stars,)| unsigned(stars)))
    }

    /// Rates an API, in the place of what the same user has rated it before.
    pub async fn put_rating(&self, api: &str, user: &str, stars: u64, at: u64) -> Result<(), StoreError> {
        self.write(
            "write a rating to",
            "INSERT INTO portal_rating (api, username, stars, at) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT (api, username) DO UPDATE SET stars = $3, at = $4",
            &[Some(api), Some(user)],
            &[bigint(stars), bigint(at)],
        )
        .await
        .map(|_| ())
    }

    /// Takes a rating back; says whether there was one.
    pub async fn delete_rating(&self, api: &str, user: &str) -> Result<bool, StoreError> {
        self.write(
            "delete a rating in",
            "DELETE FROM portal_rating WHERE api = $1 AND username = $2",
            &[Some(api), Some(user)],
            &[],
        )
        .await
    }

    /// Comments on an API, newest first, those before a time.
    pub async fn comments(
        &self,
        api: &str,
        before: Option<u64>,
        most: u32,
    ) -> Result<Vec<Comment>, StoreError> {
        let rows = reading!(&self.database, "read comments in", |pool| {
            query_as::<_, CommentRow>(
                "SELECT id, api, username, at, content FROM portal_comment WHERE api = $1 AND at < $2 \
                 ORDER BY at DESC, id LIMIT $3",
            )
            .bind(api)
            .bind(before.map_or(i64::MAX, bigint))
            .bind(i64::from(most))
            .fetch_all(pool)
        })?;
        Ok(rows.into_iter().map(comment).collect())
    }

    /// A comment by its id.
    pub async fn comment(&self, id: &str) -> Result<Option<Comment>, StoreError> {
        let row = reading!(&self.database, "read a comment in", |pool| {
            query_as::<_, CommentRow>(
                "SELECT id, api, username, at, content FROM portal_comment WHERE id = $1",
            )
            .bind(id)
            .fetch_optional(pool)
        })?;
        Ok(row.map(comment))
    }

    /// How many comments somebody has written since a time.
    pub async fn comments_of(&self, user: &str, since: u64) -> Result<u64, StoreError> {
        let (count,) = reading!(&self.database, "count comments in", |pool| {
            query_as::<_, (i64,)>("SELECT COUNT(*) FROM portal_comment WHERE username = $1 AND at >= $2")
                .bind(user)
                .bind(bigint(since))
                .fetch_one(pool)
        })?;
        Ok(unsigned(count))
    }

    pub async fn put_comment(&self, comment: &Comment) -> Result<(), StoreError> {
        self.write(
            "write a comment to",
            "INSERT INTO portal_comment (id, api, username, content, at) VALUES ($1, $2, $3, $4, $5)",
            &[Some(&comment.id), Some(&comment.api), Some(&comment.user), Some(&comment.content)],
            &[bigint(comment.at)],
        )
        .await
        .map(|_| ())
    }

    /// Deletes a comment; says whether there was one.
    pub async fn delete_comment(&self, id: &str) -> Result<bool, StoreError> {
        self.write("delete a comment in", "DELETE FROM portal_comment WHERE id = $1", &[Some(id)], &[]).await
    }

    /// Who waits to be signed up, the longest first.
    pub async fn sign_ups(&self) -> Result<Vec<SignUpRow>, StoreError> {
        let rows = reading!(&self.database, "read sign-ups in", |pool| {
            query_as::<_, SignUpColumns>(
                "SELECT username, first_name, last_name, email, message, password_hash, at FROM sign_up \
                 ORDER BY at, username",
            )
            .fetch_all(pool)
        })?;
        Ok(rows.into_iter().map(sign_up).collect())
    }

    /// Somebody who waits to be signed up.
    pub async fn sign_up(&self, user: &str) -> Result<Option<SignUpRow>, StoreError> {
        let row = reading!(&self.database, "read a sign-up in", |pool| {
            query_as::<_, SignUpColumns>(
                "SELECT username, first_name, last_name, email, message, password_hash, at FROM sign_up \
                 WHERE username = $1",
            )
            .bind(user)
            .fetch_optional(pool)
        })?;
        Ok(row.map(sign_up))
    }

    /// Writes down that somebody wants to sign up; says whether the name was free and there was room.
    pub async fn put_sign_up(&self, row: &SignUpRow, most: u64) -> Result<bool, StoreError> {
        self.write(
            "write a sign-up to",
            "INSERT INTO sign_up (username, first_name, last_name, email, message, password_hash, at) \
                       SELECT $1, $2, $3, $4, $5, $6, $7 WHERE (SELECT COUNT(*) FROM sign_up) < $8 \
                       ON CONFLICT (username) DO NOTHING",
            &[
                Some(&row.user),
                row.first_name.as_deref(),
                row.last_name.as_deref(),
                row.email.as_deref(),
                row.message.as_deref(),
                Some(&row.password_hash),
            ],
            &[bigint(row.at), bigint(most)],
        )
        .await
    }

    /// Forgets that somebody wants to sign up; says whether they did.
    pub async fn delete_sign_up(&self, user: &str) -> Result<bool, StoreError> {
        self.write("delete a sign-up in", "DELETE FROM sign_up WHERE username = $1", &[Some(user)], &[]).await
    }

    /// When keys were used last, by their hashes, which are those given.
    pub async fn key_uses(&self, hashes: &[String]) -> Result<HashMap<String, u64>, StoreError> {
        let mut uses = HashMap::new();
        // An application has few keys.
        for hash in hashes {
            let found = reading!(&self.database, "read uses of keys in", |pool| {
                query_as::<_, (i64,)>("SELECT used_at FROM key_use WHERE hash = $1")
                    .bind(hash)
                    .fetch_optional(pool)
            })?;
            uses.extend(found.map(|(at,)| (hash.clone(), unsigned(at))));
        }
        Ok(uses)
    }

    /// Writes down when keys were used last. What another node knows that is later stays.
    pub async fn put_key_uses(&self, uses: &[(String, u64)]) -> Result<(), StoreError> {
        let written = put_key_uses(&self.database, uses).await;
        written.map_err(|cause| self.database.failed("write uses of keys to", cause))
    }
}

async fn write(
    database: &Database,
    statement: &'static str,
    texts: &[Option<&str>],
    numbers: &[i64],
) -> Result<bool, sqlx::Error> {
    in_transaction!(database, |transaction| {
        let mut statement = query(statement);
        for text in texts {
            statement = statement.bind(*text);
        }
        for number in numbers {
            statement = statement.bind(*number);
        }
        statement.execute(&mut *transaction).await?.rows_affected() > 0
    })
}

async fn put_key_uses(database: &Database, uses: &[(String, u64)]) -> Result<(), sqlx::Error> {
    in_transaction!(database, |transaction| {
        for (hash, at) in uses {
            query(
                "INSERT INTO key_use (hash, used_at) VALUES ($1, $2) \
                 ON CONFLICT (hash) DO UPDATE SET used_at = $2 WHERE key_use.used_at < $2",
            )
            .bind(hash)
            .bind(bigint(*at))
            .execute(&mut *transaction)
            .await?;
        }
    })
}
