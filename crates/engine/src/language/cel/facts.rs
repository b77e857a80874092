//! What expressions can ask about a request: borrowed from it, and looked up only when it is asked for.

use std::{borrow::Cow, net::IpAddr};

use cel::{
    ExecutionError,
    common::{
        traits::{Container, Indexer, Sizer},
        types::{self, CelBool, CelDouble, CelInt, CelList, CelNull, CelString, CelUInt, Type},
        value::{CowVal, Val},
    },
    context::VariableResolver,
};
use http::{Method, StatusCode, Uri};
use serde_json::Value;

use super::super::variable::{header, query};
use crate::{Exchange, Headers, journal::OperationNames, keys::Application, language::Authorization};

/// What expressions can ask about a request, borrowed from it.
#[derive(Debug)]
pub(super) struct Facts<'e> {
    request: Request<'e>,
    application: Option<&'e Application>,
    authorization: Option<&'e Authorization>,
    api: Option<(&'e str, &'e str)>,
    operation: Option<&'e OperationNames>,
    response: (StatusCode, &'e Headers),
    claims: &'e Value,
}

#[derive(Debug, Clone, Copy)]
struct Request<'e> {
    method: &'e Method,
    uri: &'e Uri,
    path: &'e str,
    headers: &'e Headers,
    ip: IpAddr,
    secure: bool,
}

impl<'e> Facts<'e> {
    pub(super) fn of(exchange: &'e Exchange) -> Self {
        static NONE: Value = Value::Null;
        let api = exchange.api();
        Self {
            request: Request {
                method: &exchange.method,
                uri: &exchange.uri,
                path: exchange.resource_path(),
                headers: &exchange.headers,
                ip: exchange.client.ip,
                secure: exchange.client.secure,
            },
            application: exchange.application(),
            authorization: exchange.authorization(),
            api: api.map(|api| (&*api.names.name, &*api.names.version)),
            operation: api.and_then(|api| api.operation_names(exchange.operation)),
            response: (exchange.status, &exchange.response_headers),
            claims: exchange.authorization().and_then(|known| known.claims.as_deref()).unwrap_or(&NONE),
        }
    }
}

impl VariableResolver for Facts<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        Some(CowVal::owned(match variable {
            "request" => Map::Request(self.request),
            "application" => Map::Application(self.application),
            "user" => Map::User(self.authorization),
            "api" => Map::Api(self.api),
            "operation" => Map::Operation(self.operation),
            "response" => Map::Response(self.response.0, self.response.1),
            "claims" => Map::Json(self.claims),
            _ => return None,
        }))
    }
}

/// A map that looks its entries up where they are.
#[derive(Debug, Clone, Copy)]
enum Map<'e> {
    Request(Request<'e>),
    Application(Option<&'e Application>),
    Attributes(Option<&'e Application>),
    User(Option<&'e Authorization>),
    Api(Option<(&'e str, &'e str)>),
    Operation(Option<&'e OperationNames>),
    Response(StatusCode, &'e Headers),
    Headers(&'e Headers),
    Query(&'e Uri),
    Json(&'e Value),
}

impl<'e> Map<'e> {
    fn entry(self, key: &str) -> Option<CowVal<'e, 'e>> {
        let text = |text: &'e str| CowVal::owned(CelString::from(text));
        let any = |value: Cow<'e, str>| match value {
            Cow::Borrowed(value) => CowVal::owned(CelString::from(value)),
            Cow::Owned(value) => CowVal::owned(CelString::from(value)),
        };
        Some(match self {
            Self::Request(request) => match key {
                "method" => text(request.method.as_str()),
                "path" => text(request.path),
                "headers" => CowVal::owned(Self::Headers(request.headers)),
                "query" => CowVal::owned(Self::Query(request.uri)),
                "ip" => any(Cow::Owned(request.ip.to_canonical().to_string())),
                "scheme" => text(if request.secure { "https" } else { "http" }),
                // HTTP/2 has it in the target, HTTP/1.1 in a header.
                "host" => match request.uri.host() {
                    Some(host) => text(host),
                    None => any(header(request.headers, &http::header::HOST)?),
                },
                _ => return None,
            },
            Self::Application(application) => match key {
                "name" => text(&application?.name),
                "description" => text(application?.description.as_deref()?),
                "version" => text(application?.version.as_deref()?),
                "attributes" => CowVal::owned(Self::Attributes(application)),
                _ => return None,
            },
            Self::Attributes(application) => text(application?.attributes.get(key)?),
            Self::User(known) => match key {
                "name" => text(known?.user_name.as_deref()?),
                "groups" => texts(known.map_or(&[], |known| &known.groups)),
                _ => return None,
            },
            Self::Api(names) => match key {
                "name" => text(names?.0),
                "version" => text(names?.1),
                _ => return None,
            },
            Self::Operation(names) => match key {
                "name" => text(&names?.name),
                _ => return None,
            },
            Self::Response(status, headers) => match key {
                "status" => CowVal::owned(CelInt::from(i64::from(status.as_u16()))),
                "headers" => CowVal::owned(Self::Headers(headers)),
                _ => return None,
            },
            // Names are compared in any case, and most are written in small letters.
            Self::Headers(headers) => {
                any(header(headers, &http::HeaderName::from_bytes(key.as_bytes()).ok()?)?)
            }
            Self::Query(uri) => any(query(uri, key)?),
            Self::Json(value) => json(value.get(key)?),
        })
    }

    fn length(self) -> usize {
        match self {
            Self::Headers(headers) => headers.len(),
            Self::Attributes(application) => {
                application.map_or(0, |application| application.attributes.len())
            }
            Self::Query(uri) => uri.query().map_or(0, |query| query.split('&').count()),
            Self::Json(value) => value.as_object().map_or(0, serde_json::Map::len),
            _ => 0,
        }
    }
}

fn texts(list: &[Box<str>]) -> CowVal<'_, '_> {
    let items: Vec<Box<dyn Val + '_>> =
        list.iter().map(|text| CowVal::owned(CelString::from(&**text)).into_owned()).collect();
    CowVal::owned(CelList::from(items))
}

fn json(value: &Value) -> CowVal<'_, '_> {
    match value {
        Value::Null => CowVal::owned(CelNull),
        Value::Bool(value) => CowVal::owned(CelBool::from(*value)),
        Value::String(text) => CowVal::owned(CelString::from(text.as_str())),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => CowVal::owned(CelInt::from(number)),
            (None, Some(number)) => CowVal::owned(CelUInt::from(number)),
            (None, None) => CowVal::owned(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::Array(items) => {
            let items: Vec<Box<dyn Val + '_>> = items.iter().map(|item| json(item).into_owned()).collect();
            CowVal::owned(CelList::from(items))
        }
        value @ Value::Object(_) => CowVal::owned(Map::Json(value)),
    }
}

fn key_of(key: &dyn Val) -> Result<&str, ExecutionError> {
    match key.downcast_ref::<CelString<'_>>() {
        Some(key) => Ok(key.inner()),
        None => Err(ExecutionError::no_such_key(key.get_type().name())),
    }
}

impl Val for Map<'_> {
    fn get_type(&self) -> &Type {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static Type {
        &types::MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(*self)
    }
}

impl Container for Map<'_> {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(key_of(value).is_ok_and(|key| self.entry(key).is_some()))
    }
}

impl Sizer for Map<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(i64::try_from(self.length()).unwrap_or(i64::MAX))
    }
}

impl Indexer for Map<'_> {
    fn get<'b, 'v>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let key = key_of(key)?;
        self.entry(key).ok_or_else(|| ExecutionError::no_such_key(key))
    }

    fn steal<'v>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let key = key_of(key)?;
        self.entry(key).map(CowVal::into_owned).ok_or_else(|| ExecutionError::no_such_key(key))
    }
}
