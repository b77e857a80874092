//! What is checked for each operation, made once for an API however many policies of this type it has.

use std::{collections::HashMap, sync::Arc};

use engine::compile::ApiShape;
use model::{
    Operation,
    api::{Body, Parameter, ParameterLocation, Response},
    settings::ContentTypes,
};

use super::{parameter::Expected, template::PathTemplate};
use crate::{
    media::{self, FORM, Kind},
    multipart::FORM_DATA,
    schemas::{Builder, Direction, SchemaId, Schemas, Shape},
};

/// Requests, by the position of the operation.
pub struct RequestPlan {
    pub schemas: Schemas,
    pub operations: Vec<RequestExpected>,
}

/// What the request of an operation has to be.
pub struct RequestExpected {
    pub template: PathTemplate,
    pub parameters: Vec<Expected>,
    /// Form fields of OpenAPI 2.0, which are parameters there.
    pub fields: Vec<Expected>,
    pub body_required: bool,
    pub bodies: Vec<BodyExpected>,
    /// The definition says something about the operation; what is written by hand has no parameters.
    pub described: bool,
}

/// A body of one media type.
pub struct BodyExpected {
    /// Range of media types in small letters.
    pub media_type: String,
    pub schema: Option<SchemaId>,
    /// For forms and texts.
    pub shape: Option<Arc<Shape>>,
    /// Content types that parts of a form may have, by the name of the part.
    pub encodings: Vec<(String, Vec<String>)>,
}

/// Responses, by the position of the operation.
pub struct ResponsePlan {
    pub schemas: Schemas,
    pub operations: Vec<Vec<ResponseExpected>>,
}

/// A documented response.
pub struct ResponseExpected {
    pub status: String,
    pub headers: Vec<Expected>,
    pub bodies: Vec<BodyExpected>,
}

impl RequestPlan {
    pub fn build(api: &ApiShape<'_>, types: &ContentTypes, warnings: &mut Vec<String>) -> Self {
        let mut builder = Builder::new(api.documents(), Direction::Request);
        let found: Vec<_> = api
            .operations()
            .iter()
            .map(|operation| request_schemas(operation, types, &mut builder))
            .collect();
        let (schemas, found_warnings) = builder.finish();
        warnings.extend(found_warnings);
        let mut shapes = Shapes { schemas: &schemas, known: HashMap::new() };
        let operations = api
            .operations()
            .iter()
            .zip(found)
            .map(|(operation, found)| request_expected(operation, found, &mut shapes, warnings));
        let operations = operations.collect();
        Self { schemas, operations }
    }
}

impl ResponsePlan {
    pub fn build(api: &ApiShape<'_>, types: &ContentTypes, warnings: &mut Vec<String>) -> Self {
        let mut builder = Builder::new(api.documents(), Direction::Response);
        let add = |response: &Response, builder: &mut Builder<'_>| Found {
            parameters: response
                .headers
                .iter()
                .map(|header| add(header.schema.as_deref(), builder))
                .collect(),
            bodies: response.bodies.iter().map(|body| add_body(body, types, builder)).collect(),
        };
        let found: Vec<Vec<Found>> = api
            .operations()
            .iter()
            .map(|operation| operation.responses.iter().map(|response| add(response, &mut builder)).collect())
            .collect();
        let (schemas, found_warnings) = builder.finish();
        warnings.extend(found_warnings);
        let mut shapes = Shapes { schemas: &schemas, known: HashMap::new() };
        let mut operations = Vec::with_capacity(found.len());
        for (operation, found) in api.operations().iter().zip(found) {
            let responses = operation.responses.iter().zip(found).map(|(response, found)| ResponseExpected {
                status: response.status.clone(),
                headers: shapes.parameters(&response.headers, &found.parameters),
                bodies: shapes.bodies(&response.bodies, &found.bodies),
            });
            operations.push(responses.collect());
        }
        Self { schemas, operations }
    }
}

/// Schemas of parameters and bodies, in their order.
struct Found {
    parameters: Vec<Option<SchemaId>>,
    bodies: Vec<Option<SchemaId>>,
}

fn request_schemas(operation: &Operation, types: &ContentTypes, builder: &mut Builder<'_>) -> Found {
    Found {
        parameters: operation.parameters.iter().map(|p| add(p.schema.as_deref(), builder)).collect(),
        bodies: operation.request_bodies.iter().map(|body| add_body(body, types, builder)).collect(),
    }
}

fn add(schema: Option<&str>, builder: &mut Builder<'_>) -> Option<SchemaId> {
    schema.and_then(|address| builder.add(address))
}

/// Of other media types only the type is checked.
fn add_body(body: &Body, types: &ContentTypes, builder: &mut Builder<'_>) -> Option<SchemaId> {
    let media_type = media::essence(&body.media_type);
    let read = media::kind(types, &media_type) == Some(Kind::Json)
        || media_type == FORM
        || media_type == FORM_DATA
        || media::is_plain(types, &media_type)
        || media_type.contains('*');
    add(body.schema.as_deref().filter(|_| read), builder)
}

fn request_expected(
    operation: &Operation,
    found: Found,
    shapes: &mut Shapes<'_>,
    warnings: &mut Vec<String>,
) -> RequestExpected {
    let template = PathTemplate::new(&operation.path);
    let all = shapes.parameters(&operation.parameters, &found.parameters);
    let (fields, mut parameters): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|parameter| parameter.location == ParameterLocation::Form);
    let untold = template.untold();
    parameters.retain(|parameter| {
        let told =
            parameter.location != ParameterLocation::Path || !untold.contains(&parameter.name.as_str());
        if !told {
            warnings.push(format!(
                "{} {}: the parameter `{}` has another one right beside it; it is not checked",
                operation.method, operation.path, parameter.name
            ));
        }
        told
    });
    RequestExpected {
        template,
        parameters,
        fields,
        body_required: operation.request_body_required,
        bodies: shapes.bodies(&operation.request_bodies, &found.bodies),
        described: !(operation.parameters.is_empty()
            && operation.request_bodies.is_empty()
            && operation.responses.is_empty()),
    }
}

/// Shapes by schema: parameters share their schemas.
struct Shapes<'s> {
    schemas: &'s Schemas,
    known: HashMap<u32, Arc<Shape>>,
}

impl Shapes<'_> {
    fn of(&mut self, schema: Option<SchemaId>) -> Arc<Shape> {
        let Some(schema) = schema else { return Arc::default() };
        let schemas = self.schemas;
        Arc::clone(self.known.entry(schema.number()).or_insert_with(|| Arc::new(schemas.shape(schema))))
    }

    fn parameters(&mut self, parameters: &[Parameter], schemas: &[Option<SchemaId>]) -> Vec<Expected> {
        let pairs = parameters.iter().zip(schemas);
        pairs.map(|(parameter, schema)| Expected::new(parameter, *schema, self.of(*schema))).collect()
    }

    fn bodies(&mut self, bodies: &[Body], schemas: &[Option<SchemaId>]) -> Vec<BodyExpected> {
        let expected = |(body, schema): (&Body, &Option<SchemaId>)| {
            let media_type = media::essence(&body.media_type);
            // What is JSON needs no shape.
            let shape = schema.filter(|_| !media_type.ends_with("json")).map(|schema| self.of(Some(schema)));
            let encodings = body
                .encodings
                .iter()
                .map(|(name, types)| (name.clone(), types.split(',').map(media::essence).collect()));
            BodyExpected { media_type, schema: *schema, shape, encodings: encodings.collect() }
        };
        bodies.iter().zip(schemas).map(expected).collect()
    }
}
