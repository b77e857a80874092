//! Ratings of APIs, and comments on them.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode, routing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::assets::Comment;

use super::{bad, find_api, is_visible, not_found, portal, read, short};
use crate::{
    Assets, Manager, Privilege, Who, kind,
    rest::{
        answer::{Problem, time},
        extract::{Bytes, Path, Query},
        login::Visitor,
        route::{Content, Right, Route, delete, get, post, put},
    },
    service::new_id,
};

pub(super) const ROUTES: &[Route] = &[
    put("/portal/apis/{name}/rating", "rateApi", "Rates an API, 1 to 5 stars.", Right::Consumer, || {
        routing::put(rate)
    })
    .takes::<NewRating>()
    .answers_content(204, Content::Nothing),
    delete("/portal/apis/{name}/rating", "unrateApi", "Takes one's rating back.", Right::Consumer, || {
        routing::delete(unrate)
    })
    .answers_content(204, Content::Nothing),
    get(
        "/portal/apis/{name}/comments",
        "listComments",
        "Comments on an API, the newest first.",
        Right::Visitor,
        || routing::get(list),
    )
    .query::<CommentQuery>()
    .answers::<CommentPage>(200),
    post("/portal/apis/{name}/comments", "comment", "Comments on an API.", Right::Consumer, || {
        routing::post(comment)
    })
    .takes::<NewComment>()
    .answers::<CommentView>(201),
    delete(
        "/portal/comments/{id}",
        "deleteComment",
        "Deletes one's own comment; whoever publishes to the portal deletes any.",
        Right::Consumer,
        || routing::delete(uncomment),
    )
    .answers_content(204, Content::Nothing),
];

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewRating {
    #[schemars(range(min = 1, max = 5))]
    stars: u64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewComment {
    /// Text, up to 4000 bytes. It is shown as text: nothing in it is taken for Markdown or HTML.
    text: String,
}

/// Which comments somebody wants to see.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CommentQuery {
    /// `next` of the page before.
    before: Option<u64>,
    /// Longest page, 1 to 100. Default: 20.
    limit: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
struct CommentPage {
    items: Vec<CommentView>,
    /// `before` of the next page.
    next: Option<u64>,
}

/// A comment on an API.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CommentView {
    id: String,
    user: String,
    at: String,
    text: String,
    /// Whoever asks may delete it.
    deletable: bool,
}

/// Comments that somebody may write in an hour.
const MOST_IN_AN_HOUR: u64 = 30;
const HOUR: u64 = 3_600_000_000;

fn allowed(assets: &Assets) -> Result<(), Problem> {
    match portal(assets).feedback {
        true => Ok(()),
        false => {
            let detail = "Ratings and comments are switched off in this portal.";
            Err(Problem::new(StatusCode::FORBIDDEN, "feedback_off", detail))
        }
    }
}

async fn rate(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let NewRating { stars } = read(&body)?;
    if !(1..=5).contains(&stars) {
        return Err(bad(format!("`stars`: found {stars}, expected 1 to 5")));
    }
    let assets = manager.assets();
    allowed(&assets)?;
    let held = find_api(&assets, Some(&who), &name)?;
    manager.store.put_rating(&held.id, &who.user, stars, manager.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn unrate(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let assets = manager.assets();
    let held = find_api(&assets, Some(&who), &name)?;
    match manager.store.delete_rating(&held.id, &who.user).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "you have not rated this API")),
    }
}

async fn list(
    State(manager): State<Arc<Manager>>,
    Extension(Visitor(who)): Extension<Visitor>,
    Path(name): Path<String>,
    Query(query): Query<CommentQuery>,
) -> Result<Json<CommentPage>, Problem> {
    let assets = manager.assets();
    let held = find_api(&assets, who.as_ref(), &name)?;
    let most = query.limit.unwrap_or(20).clamp(1, 100);
    let comments = manager.store.comments(&held.id, query.before, most).await?;
    let next = comments.last().filter(|_| comments.len() == most as usize).map(|last| last.at);
    let items = comments.into_iter().map(|comment| view(comment, who.as_ref())).collect();
    Ok(Json(CommentPage { items, next }))
}

fn view(comment: Comment, who: Option<&Who>) -> CommentView {
    CommentView {
        deletable: who.is_some_and(|who| may_delete(who, &comment)),
        id: comment.id,
        user: comment.user,
        at: time(comment.at),
        text: comment.content,
    }
}

fn may_delete(who: &Who, comment: &Comment) -> bool {
    comment.user == who.user || who.may(Privilege::PublishToDeveloperPortal)
}

async fn comment(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<CommentView>), Problem> {
    let NewComment { text } = read(&body)?;
    let content = short("text", Some(text), 4_000)?.ok_or_else(|| bad("`text`: expected a text"))?;
    let assets = manager.assets();
    allowed(&assets)?;
    let held = find_api(&assets, Some(&who), &name)?;
    let at = manager.now();
    if manager.store.comments_of(&who.user, at.saturating_sub(HOUR)).await? >= MOST_IN_AN_HOUR {
        let detail = format!("{MOST_IN_AN_HOUR} comments in an hour are enough.");
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_comments", detail));
    }
    let comment = Comment { id: new_id(), api: held.id.clone(), user: who.user.clone(), at, content };
    manager.store.put_comment(&comment).await?;
    Ok((StatusCode::CREATED, Json(view(comment, Some(&who)))))
}

async fn uncomment(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let assets = manager.assets();
    let comment = manager.store.comment(&id).await?.filter(|comment| {
        let api = kind("api").and_then(|kind| assets.get(kind, &comment.api));
        // One's own can be deleted, too, when the API is not there for one any more.
        comment.user == who.user || api.is_some_and(|held| is_visible(&assets, Some(&who), held))
    });
    let comment = comment.ok_or_else(|| not_found("comment", &id))?;
    if !may_delete(&who, &comment) {
        let detail = "Only who wrote a comment, or publishes to the portal, may delete it.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
    }
    manager.store.delete_comment(&id).await?;
    if comment.user != who.user {
        let message = format!("a comment of {} was deleted", comment.user);
        manager.record(&who, "Developer portal", "comment", "delete", &id, &message).await;
    }
    Ok(StatusCode::NO_CONTENT)
}
