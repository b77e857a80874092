//! System variables: what the gateway knows about a request, by name. None can be written.

use std::{borrow::Cow, sync::LazyLock};

use crate::{Exchange, HeaderText, reason::Origin, route::encode_path};

/// A system variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    User,
    InboundHttpMethod,
    RoutingMethod,
    InboundContentType,
    InboundAccept,
    InboundProtocol,
    InboundRequestUri,
    InboundIp,
    GatewayHostname,
    OperationName,
    NativeEndpoint,
    ApiId,
    ApiName,
    ApiVersion,
    Date,
    Time,
    ErrorCode,
    ErrorMessage,
    ErrorOrigin,
    ErrorNative,
    ResourcePath,
    QueryString,
}

/// The name of the machine does not change while the gateway runs.
static HOSTNAME: LazyLock<String> = LazyLock::new(|| {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
});

impl System {
    pub(super) const NAMES: &[(&'static str, Self)] = &[
        ("user", Self::User),
        ("inboundHttpMethod", Self::InboundHttpMethod),
        ("routingMethod", Self::RoutingMethod),
        ("inboundContentType", Self::InboundContentType),
        ("inboundAccept", Self::InboundAccept),
        ("inboundProtocol", Self::InboundProtocol),
        ("inboundRequestURI", Self::InboundRequestUri),
        ("inboundIP", Self::InboundIp),
        ("gatewayHostname", Self::GatewayHostname),
        ("operationName", Self::OperationName),
        ("nativeEndpoint", Self::NativeEndpoint),
        ("apiId", Self::ApiId),
        ("apiName", Self::ApiName),
        ("apiVersion", Self::ApiVersion),
        ("date", Self::Date),
        ("time", Self::Time),
        ("error.code", Self::ErrorCode),
        ("error.message", Self::ErrorMessage),
        ("error.origin", Self::ErrorOrigin),
        ("error.native", Self::ErrorNative),
        ("sys:resource_path", Self::ResourcePath),
        ("sys:query_string", Self::QueryString),
    ];

    pub(super) fn by_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, system)| *system)
    }

    pub(super) fn value(self, exchange: &Exchange) -> Option<Cow<'_, str>> {
        let inbound = exchange.extras().and_then(|extras| extras.inbound());
        match self {
            Self::User => exchange.authorization()?.user_name.as_deref().map(Cow::Borrowed),
            Self::InboundHttpMethod => {
                Some(Cow::Borrowed(inbound.map_or(&exchange.method, |inbound| &inbound.method).as_str()))
            }
            Self::RoutingMethod => Some(Cow::Borrowed(exchange.method.as_str())),
            Self::InboundContentType => match inbound {
                Some(inbound) => inbound.content_type.as_deref().map(Cow::Borrowed),
                None => exchange.headers.get(http::header::CONTENT_TYPE).map(HeaderText::to_text),
            },
            Self::InboundAccept => match inbound {
                Some(inbound) => inbound.accept.as_deref().map(Cow::Borrowed),
                None => exchange.headers.get(http::header::ACCEPT).map(HeaderText::to_text),
            },
            Self::InboundProtocol => {
                Some(Cow::Borrowed(if exchange.client.secure { "https" } else { "http" }))
            }
            Self::InboundRequestUri => {
                let uri = inbound.map_or(&exchange.uri, |inbound| &inbound.uri);
                Some(Cow::Borrowed(uri.path_and_query().map_or("/", |target| target.as_str())))
            }
            Self::InboundIp => Some(Cow::Owned(exchange.client.ip.to_canonical().to_string())),
            Self::GatewayHostname => Some(Cow::Borrowed(&HOSTNAME)),
            Self::OperationName => {
                let operation = exchange.api()?.operation_names(exchange.operation)?;
                Some(Cow::Borrowed(&operation.name))
            }
            Self::NativeEndpoint => {
                let endpoint = exchange.attempts.last()?.endpoint as usize;
                exchange.snapshot.catalog.endpoints.get(endpoint).map(|url| Cow::Borrowed(&**url))
            }
            Self::ApiId => exchange.api().map(|api| Cow::Borrowed(&*api.names.id)),
            Self::ApiName => exchange.api().map(|api| Cow::Borrowed(&*api.names.name)),
            Self::ApiVersion => exchange.api().map(|api| Cow::Borrowed(&*api.names.version)),
            Self::Date => moment(exchange).map(|at| Cow::Owned(at.date().to_string())),
            Self::Time => moment(exchange).map(|at| {
                let (hour, minute, second) = at.to_hms();
                Cow::Owned(format!("{hour:02}:{minute:02}:{second:02}"))
            }),
            Self::ErrorCode => exchange.fault().map(|reason| Cow::Borrowed(reason.code)),
            Self::ErrorMessage => exchange.fault().map(|reason| Cow::Borrowed(reason.message)),
            Self::ErrorOrigin => exchange.fault().map(|reason| {
                Cow::Borrowed(match reason.origin {
                    Origin::Client => "client",
                    Origin::Gateway => "gateway",
                    Origin::Upstream => "upstream",
                })
            }),
            Self::ErrorNative => {
                exchange.native_fault().map(|payload| String::from_utf8_lossy(payload.bytes()))
            }
            Self::ResourcePath => Some(Cow::Borrowed(exchange.resource_path().trim_start_matches('/'))),
            Self::QueryString => exchange.uri.query().map(Cow::Borrowed),
        }
    }

    /// The value for a URL's path, when it is a path already and has to keep its slashes.
    pub(super) fn encoded_path(self, exchange: &Exchange) -> Option<Cow<'_, str>> {
        (self == Self::ResourcePath).then(|| encode_path(exchange.resource_path().trim_start_matches('/')))
    }

    /// The value is a whole query and keeps its `&` and `=`.
    pub(super) fn is_query(self) -> bool {
        self == Self::QueryString
    }
}

/// UTC.
fn moment(exchange: &Exchange) -> Option<time::OffsetDateTime> {
    let seconds = i64::try_from(exchange.started.seconds()).ok()?;
    time::OffsetDateTime::from_unix_timestamp(seconds).ok()
}
