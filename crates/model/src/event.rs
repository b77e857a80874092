//! The transaction event: what a request leaves behind. Field names are those of the webMethods data model, so that
//! existing dashboards and exports read them.

use serde::{Deserialize, Serialize};

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
    /// Values that policies added.
    pub custom_fields: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventType {
    #[default]
    Transactional,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TransactionStatus {
    #[default]
    Success,
    Failure,
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
