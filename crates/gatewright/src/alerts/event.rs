//! Alerts as events, with the names of the webMethods data model where it has one.

use engine::Alert;
use model::event::{EventType, TransactionEvent};

pub(super) fn of(alert: &Alert, node: &str) -> TransactionEvent {
    let source = &alert.source;
    let fields = [
        ("alertType", source.kind.to_owned()),
        ("alertSource", source.policy.to_string()),
        ("alertDesc", alert.message.to_string()),
        ("severity", alert.severity.name().to_owned()),
        ("monitorAttr", alert.rule.to_string()),
        ("metric", alert.metric.to_owned()),
        ("value", alert.value.to_string()),
        ("threshold", alert.threshold.to_string()),
        ("interval", alert.interval.to_string()),
    ];
    TransactionEvent {
        event_type: EventType::Monitor,
        creation_date: alert.time.millis(),
        api_id: source.api_id.to_string(),
        api_name: source.api.to_string(),
        api_version: source.api_version.to_string(),
        operation_name: source.operation.to_string(),
        application_id: alert.application.to_string(),
        application_name: alert.application.to_string(),
        source_gateway: "APIGateway".to_owned(),
        source_gateway_node: node.to_owned(),
        custom_fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        ..TransactionEvent::default()
    }
}
