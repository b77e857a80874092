//! The transaction event: what a request leaves behind. Field names are those of the webMethods data model, so that
//! existing dashboards and exports read them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One request, as stored, listed and sent to destinations. Times are milliseconds, sizes bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransactionEvent {
    pub event_type: EventType,
    /// When the request arrived, milliseconds since 1970.
    pub creation_date: u64,
    /// The request id, also sent to the client.
    #[serde(rename = "correlationID")]
    pub correlation_id: String,
    pub api_id: String,
    pub api_name: String,
    pub api_version: String,
    pub operation_name: String,
    pub http_method: String,
    /// Path as the client asked for it, without the query.
    pub request_path: String,
    /// Query parameters, not decoded.
    pub query_parameters: String,
    pub application_id: String,
    /// `unknown` when no policy identified an application.
    pub application_name: String,
    /// Address of the client.
    pub application_ip: String,
    pub response_code: u16,
    pub status: TransactionStatus,
    /// Stable code of the reason for a refusal or failure; empty for a success.
    pub reason_code: String,
    /// `Nativeservice` or `APIGateway` for a failure; empty for a success.
    pub error_origin: String,
    pub native_http_method: String,
    pub external_calls: Vec<ExternalCall>,
    /// totalTime - providerTime.
    pub gateway_time: u64,
    pub provider_time: u64,
    pub total_time: u64,
    /// Request and response bodies together.
    pub total_data_size: u64,
    pub request_size: u64,
    pub response_size: u64,
    pub callback_request: bool,
    pub session_id: String,
    pub source_gateway: String,
    pub source_gateway_node: String,
    pub user_agent: String,
    /// Values that policies added, by name: an object.
    #[serde(with = "fields")]
    pub custom_fields: Vec<(String, String)>,
    /// Headers and payloads, where a policy keeps them.
    #[serde(flatten)]
    pub messages: LoggedMessages,
}

/// Pairs as an object, in their order.
mod fields {
    use serde::{Deserialize, Deserializer, Serializer};
    use serde_json::{Map, Value};

    pub fn serialize<S: Serializer>(fields: &[(String, String)], to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(fields.iter().map(|(name, value)| (name, value)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(String, String)>, D::Error> {
        let object = Map::<String, Value>::deserialize(from)?;
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Ok(object.into_iter().map(|(name, value)| (name, text(value))).collect())
    }
}

/// Headers and payloads of a request and its response, as far as they were kept. Headers are objects; credentials in
/// them are hidden.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LoggedMessages {
    /// What the client sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_headers: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub req_payload: Option<String>,
    /// What the native service got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_request_headers: Option<Map<String, Value>>,
    /// Missing when it is what the client sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_req_payload: Option<String>,
    /// What the native service answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_response_headers: Option<Map<String, Value>>,
    /// Missing when it is what the client got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_res_payload: Option<String>,
    /// What the client got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_headers: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub res_payload: Option<String>,
}

/// A part of the messages that can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogPart {
    RequestHeaders,
    ReqPayload,
    NativeRequestHeaders,
    NativeReqPayload,
    NativeResponseHeaders,
    NativeResPayload,
    ResponseHeaders,
    ResPayload,
}

impl LogPart {
    /// In the order in which they come about; the event store names them by position.
    pub const ALL: [Self; 8] = [
        Self::RequestHeaders,
        Self::ReqPayload,
        Self::NativeRequestHeaders,
        Self::NativeReqPayload,
        Self::NativeResponseHeaders,
        Self::NativeResPayload,
        Self::ResponseHeaders,
        Self::ResPayload,
    ];

    pub const fn is_payload(self) -> bool {
        matches!(self, Self::ReqPayload | Self::NativeReqPayload | Self::NativeResPayload | Self::ResPayload)
    }

    /// In words, for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::RequestHeaders => "Headers of the request",
            Self::ReqPayload => "Body of the request",
            Self::NativeRequestHeaders => "Headers for the native service",
            Self::NativeReqPayload => "Body for the native service",
            Self::NativeResponseHeaders => "Headers from the native service",
            Self::NativeResPayload => "Body from the native service",
            Self::ResponseHeaders => "Headers of the response",
            Self::ResPayload => "Body of the response",
        }
    }
}

impl LoggedMessages {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Sets a part: headers to the object that the text is, payloads to the text.
    pub fn set(&mut self, part: LogPart, text: String) {
        let headers = match part {
            LogPart::RequestHeaders => &mut self.request_headers,
            LogPart::NativeRequestHeaders => &mut self.native_request_headers,
            LogPart::NativeResponseHeaders => &mut self.native_response_headers,
            LogPart::ResponseHeaders => &mut self.response_headers,
            LogPart::ReqPayload => return self.req_payload = Some(text),
            LogPart::NativeReqPayload => return self.native_req_payload = Some(text),
            LogPart::NativeResPayload => return self.native_res_payload = Some(text),
            LogPart::ResPayload => return self.res_payload = Some(text),
        };
        *headers = serde_json::from_str(&text).ok();
    }

    /// The parts that there are, as texts.
    pub fn parts(&self) -> Vec<(LogPart, String)> {
        let headers =
            |headers: &Option<Map<String, Value>>| headers.clone().map(|h| Value::Object(h).to_string());
        let text = |part: &LogPart| match part {
            LogPart::RequestHeaders => headers(&self.request_headers),
            LogPart::NativeRequestHeaders => headers(&self.native_request_headers),
            LogPart::NativeResponseHeaders => headers(&self.native_response_headers),
            LogPart::ResponseHeaders => headers(&self.response_headers),
            LogPart::ReqPayload => self.req_payload.clone(),
            LogPart::NativeReqPayload => self.native_req_payload.clone(),
            LogPart::NativeResPayload => self.native_res_payload.clone(),
            LogPart::ResPayload => self.res_payload.clone(),
        };
        LogPart::ALL.iter().filter_map(|part| Some((*part, text(part)?))).collect()
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EventType {
    /// A request.
    #[default]
    Transactional,
    /// An alert. What is alerted of is in the custom fields; nothing of a request is set.
    Monitor,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum TransactionStatus {
    #[default]
    Success,
    Failure,
}

/// Which events somebody wants to see.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventQuery {
    #[serde(rename = "type")]
    pub event_type: Option<EventType>,
    /// Not before this, in milliseconds since 1970.
    pub from: Option<u64>,
    /// Before this, in milliseconds since 1970.
    pub to: Option<u64>,
    /// Name of the API.
    pub api: Option<String>,
    /// Name of the application.
    pub application: Option<String>,
    /// Name of the operation.
    pub operation: Option<String>,
    pub status: Option<TransactionStatus>,
    /// `404`, or `5xx`.
    pub code: Option<String>,
    /// As in `GET`.
    pub method: Option<String>,
    /// What the path begins with.
    pub path: Option<String>,
    /// Address of the client.
    pub client: Option<String>,
    /// Code of the reason.
    pub reason: Option<String>,
    /// Id of the request.
    pub id: Option<String>,
    /// Longest page. Default 100.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

/// One call that the gateway made for the request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalCall {
    /// `NATIVE_SERVICE_CALL`.
    pub external_call_type: String,
    #[serde(rename = "externalURL")]
    pub external_url: String,
    pub call_start_time: u64,
    pub call_end_time: u64,
    pub call_duration: u64,
    /// Empty when the call brought no answer.
    pub response_code: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_fields_are_an_object_in_their_order() {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let custom_fields = vec![field("b", "1"), field("a", "\"")];
        let event = TransactionEvent { custom_fields, ..TransactionEvent::default() };
        let json = serde_json::to_string(&event).unwrap();
        assert!(json.contains(r#""customFields":{"b":"1","a":"\""}"#), "{json}");
        assert_eq!(serde_json::from_str::<TransactionEvent>(&json).unwrap(), event);
    }
}
