//! What is read: assets as they are, as they were, and what changed.

use sqlx::query_as;

use super::{
    Asset, AssetVersion, Head, Revision,
    database::{Database, bigint, reading, unsigned},
};
use crate::StoreError;

type AssetRow = (String, String, String, i64, i64, i64, String, Option<String>);
type VersionRow =
    (String, String, String, i64, i64, i64, String, Option<String>, Option<String>, Option<String>);

pub(super) async fn head(database: &Database) -> Result<Head, StoreError> {
    let (revision, epoch) = reading!(database, "read", |pool| {
        query_as::<_, (i64, i64)>("SELECT revision, epoch FROM head").fetch_one(pool)
    })?;
    Ok(Head { revision: unsigned(revision), epoch: unsigned(epoch) })
}

pub(super) async fn assets(database: &Database) -> Result<(Head, Vec<Asset>), StoreError> {
    // What is read first decides which revision it is: what is committed meanwhile is seen again by `changed_since`.
    let head = head(database).await?;
    let rows = reading!(database, "read", |pool| {
        query_as::<_, AssetRow>(
            "SELECT kind, id, name, revision, created_at, changed_at, document, sealed FROM asset ORDER BY kind, name",
        )
        .fetch_all(pool)
    })?;
    let assets =
        rows.into_iter().map(|(kind, id, name, revision, created_at, changed_at, document, sealed)| Asset {
            kind,
            id,
            name,
            revision: unsigned(revision),
            created_at: unsigned(created_at),
            changed_at: unsigned(changed_at),
            document,
            sealed,
        });
    Ok((head, assets.collect()))
}

pub(super) async fn changed_since(
    database: &Database,
    since: u64,
) -> Result<(Head, Vec<AssetVersion>), StoreError> {
    let head = head(database).await?;
    let rows = reading!(database, "read changes of", |pool| {
        query_as::<_, VersionRow>(
            "SELECT v.kind, v.id, v.name, v.revision, v.created_at, r.at, r.author, r.reason, v.document, v.sealed \
             FROM asset_version v JOIN revision r ON r.revision = v.revision \
             WHERE v.revision > $1 AND v.revision <= $2 AND v.revision = (SELECT MAX(n.revision) FROM asset_version n \
             WHERE n.kind = v.kind AND n.id = v.id AND n.revision <= $2) ORDER BY v.kind, v.name",
        )
        .bind(bigint(since))
        .bind(bigint(head.revision))
        .fetch_all(pool)
    })?;
    Ok((head, rows.into_iter().map(version).collect()))
}

pub(super) async fn history(
    database: &Database,
    kind: &str,
    id: &str,
) -> Result<Vec<AssetVersion>, StoreError> {
    let rows = reading!(database, "read the history in", |pool| {
        query_as::<_, VersionRow>(
            "SELECT v.kind, v.id, v.name, v.revision, v.created_at, r.at, r.author, r.reason, v.document, v.sealed \
             FROM asset_version v JOIN revision r ON r.revision = v.revision \
             WHERE v.kind = $1 AND v.id = $2 ORDER BY v.revision DESC",
        )
        .bind(kind)
        .bind(id)
        .fetch_all(pool)
    })?;
    Ok(rows.into_iter().map(version).collect())
}

pub(super) async fn assets_at(database: &Database, revision: u64) -> Result<Vec<AssetVersion>, StoreError> {
    let rows = reading!(database, "read the history in", |pool| {
        query_as::<_, VersionRow>(
            "SELECT v.kind, v.id, v.name, v.revision, v.created_at, r.at, r.author, r.reason, v.document, v.sealed \
             FROM asset_version v JOIN revision r ON r.revision = v.revision \
             WHERE v.revision = (SELECT MAX(n.revision) FROM asset_version n \
             WHERE n.kind = v.kind AND n.id = v.id AND n.revision <= $1) AND v.document IS NOT NULL \
             ORDER BY v.kind, v.name",
        )
        .bind(bigint(revision))
        .fetch_all(pool)
    })?;
    Ok(rows.into_iter().map(version).collect())
}

fn version(row: VersionRow) -> AssetVersion {
    let (kind, id, name, revision, created_at, changed_at, author, reason, document, sealed) = row;
    AssetVersion {
        kind,
        id,
        name,
        revision: unsigned(revision),
        created_at: unsigned(created_at),
        changed_at: unsigned(changed_at),
        author,
        reason,
        document,
        sealed,
    }
}

pub(super) async fn revisions(
    database: &Database,
    before: Option<u64>,
    most: u32,
) -> Result<Vec<Revision>, StoreError> {
    let rows = reading!(database, "read the history in", |pool| {
        query_as::<_, (i64, i64, String, Option<String>, i64)>(
            "SELECT r.revision, r.at, r.author, r.reason, \
             (SELECT COUNT(*) FROM asset_version v WHERE v.revision = r.revision) \
             FROM revision r WHERE r.revision < $1 ORDER BY r.revision DESC LIMIT $2",
        )
        .bind(before.map_or(i64::MAX, bigint))
        .bind(i64::from(most))
        .fetch_all(pool)
    })?;
    let revisions = rows.into_iter().map(|(revision, at, author, reason, assets)| Revision {
        revision: unsigned(revision),
        at: unsigned(at),
        author,
        reason,
        assets: unsigned(assets),
    });
    Ok(revisions.collect())
}
