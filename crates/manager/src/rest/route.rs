//! The ways into the admin API, as a table: who may use each, what goes in and what comes out. The router and the OpenAPI
//! document are made from it, so that nothing is served that is not in it.

use std::sync::Arc;

use axum::routing::MethodRouter;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::{Kind, Manager, Privilege, Who};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// Everybody, without saying who they are.
    Anyone,
    /// Whoever has proved who they are, even with a password that has to be changed first.
    Oneself,
    /// Everybody; whoever says who they are has to prove it, and may see more.
    Visitor,
    /// Whoever has proved who they are, also those for whom only the developer portal is there.
    Consumer,
    /// Whoever has proved who they are. What they see is what they may see.
    User,
    /// Users with one of these privileges.
    Privilege(&'static [Privilege]),
    /// Users with one of these privileges, and approvers of a team. What they may decide on is looked at again.
    Approver(&'static [Privilege]),
    /// Users who may change assets of that kind, which [`Manager::change`] decides for each asset.
    Change,
}

impl Right {
    /// Whether it is for those, too, for whom only the developer portal is there.
    pub(crate) fn is_for_consumers(self) -> bool {
        matches!(self, Self::Anyone | Self::Visitor | Self::Consumer | Self::Oneself)
    }

    /// The privilege that is missing.
    pub(crate) fn missing(self, who: &Who) -> Option<&'static str> {
        match self {
            Self::Approver(_) if !who.approves_for().is_empty() => None,
            Self::Privilege(privileges) | Self::Approver(privileges)
                if !privileges.iter().any(|privilege| who.may(*privilege)) =>
            {
                privileges.first().map(|privilege| privilege.name())
            }
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// Writes the schema of a type, and of what it refers to.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What goes in, or comes out.
#[derive(Clone, Copy)]
pub(super) enum Content {
    Nothing,
    Json(SchemaOf),
    /// The document of an asset.
    Document,
    /// Keys of such a document that are changed (RFC 7396).
    MergePatch,
    /// A whole configuration: lists of documents, by kind.
    Set,
    /// An asset, with what there is to know about it.
    Asset,
    /// A page of assets.
    Assets,
    /// JSON that is not described further.
    AnyJson,
    /// Bytes of this media type.
    Bytes(&'static str),
}

/// What becomes of a request with POST that is sent again with the same `Idempotency-Key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// It is answered as it was.
    SameAnswer,
    /// It is refused: what was answered is told once, and kept nowhere.
    ToldOnce,
    /// It is done again: it changes nothing, or nobody says who they are.
    Done,
}

/// A way into the API.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// Under `/api/v1`. What begins with `/{kind}` is there for each kind of asset.
    pub(crate) path: &'static str,
    /// `operationId`; `{Kind}` and `{Kinds}` stand for the kind of asset.
    pub(super) id: &'static str,
    /// `{A kind}`, `{a kind}` and `{kinds}` stand for it.
    pub(super) summary: &'static str,
    pub(crate) right: Right,
    pub(super) query: Option<SchemaOf>,
    pub(super) body: Content,
    pub(super) status: u16,
    /// It may make the asset, which answers 201.
    pub(super) creates: bool,
    pub(super) answer: Content,
    again: Again,
    pub(super) handler: fn() -> MethodRouter<Arc<Manager>>,
}

impl Route {
    const fn new(
        method: Method,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        right: Right,
        handler: fn() -> MethodRouter<Arc<Manager>>,
    ) -> Self {
        Self {
            method,
            path,
            id,
            summary,
            right,
            query: None,
            body: Content::Nothing,
            status: 200,
            creates: false,
            answer: Content::Nothing,
            again: Again::SameAnswer,
            handler,
        }
    }

    pub(super) const fn query<T: JsonSchema>(mut self) -> Self {
        // Where it is, not referred to: parameters are written one by one.
        self.query = Some(|generator| T::json_schema(generator));
        self
    }

    pub(super) const fn takes<T: JsonSchema>(self) -> Self {
        self.takes_content(Content::Json(|generator| generator.subschema_for::<T>()))
    }

    pub(super) const fn takes_content(mut self, body: Content) -> Self {
        self.body = body;
        self
    }

    pub(super) const fn answers<T: JsonSchema>(self, status: u16) -> Self {
        self.answers_content(status, Content::Json(|generator| generator.subschema_for::<T>()))
    }

    pub(super) const fn answers_content(mut self, status: u16, answer: Content) -> Self {
        self.status = status;
        self.answer = answer;
        self
    }

    pub(super) const fn or_creates(mut self) -> Self {
        self.creates = true;
        self
    }

    /// It answers with something that is told once.
    pub(super) const fn told_once(mut self) -> Self {
        self.again = Again::ToldOnce;
        self
    }

    /// It changes nothing here: it asks, or hands a request on to somewhere else.
    pub(super) const fn changes_nothing(mut self) -> Self {
        self.again = Again::Done;
        self
    }

    /// What an `Idempotency-Key` does. The other methods are done once by themselves.
    pub(super) fn again(&self) -> Again {
        if self.method == Method::Post && self.right != Right::Anyone { self.again } else { Again::Done }
    }

    /// Whether it is there for each kind of asset.
    pub(crate) fn is_for_each_kind(&self) -> bool {
        self.path.starts_with("/{kind}")
    }

    /// The path for a kind of asset.
    pub(crate) fn path_of(&self, kind: &Kind) -> String {
        self.path.replacen("{kind}", kind.list, 1)
    }
}

macro_rules! methods {
    ($($name:ident $method:ident),*) => {$(
        pub(super) const fn $name(
            path: &'static str,
            id: &'static str,
            summary: &'static str,
            right: Right,
            handler: fn() -> MethodRouter<Arc<Manager>>,
        ) -> Route {
            Route::new(Method::$method, path, id, summary, right, handler)
        }
    )*};
}

methods!(get Get, post Post, put Put, patch Patch, delete Delete);
