//! What the fleet can do, as OpenAPI 3.1.

use std::sync::Arc;

use rpc::{Description, ProcedureDescription};
use serde_json::{Map, Value, json};

/// The document for these services, each under the name by which it is called.
pub(crate) fn document(services: &[(&str, Arc<Description>)], version: &str) -> Value {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    schemas.insert("Problem".to_owned(), problem_schema());
    paths.extend(listings());
    for (service, description) in services {
        // A name that is none could not be called either, and would make the document unreadable.
        let callable = description.procedures.iter().filter(|p| is_name(&p.name));
        for procedure in callable {
            let path = format!("/v1/{service}/{}", procedure.name);
            let operation = operation(service, procedure, &mut schemas);
            paths.insert(path, json!({ "post": operation }));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Orrery",
            "version": version,
            "description": "Every procedure of every service of this fleet.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "responses": { "Problem": problem_response() },
            "parameters": { "Timeout": timeout_parameter() },
        },
        "security": [{ "token": [] }],
    })
}

fn is_name(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !text.is_empty() && text.bytes().all(fits)
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457, with a stable reason and what to do next.",
        "required": ["type", "title", "status", "detail", "reason"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "instance": { "type": "string" },
            "reason": { "type": "string" },
            "hint": { "type": "string" },
            "retry": { "type": "boolean", "description": "Whether it may be tried again." },
            "retry_after": { "type": "integer", "description": "When: in so many seconds." },
            "line": { "type": "integer", "description": "Where the body is no JSON." },
            "column": { "type": "integer" },
        },
    })
}

fn problem_response() -> Value {
    json!({
        "description": "A problem.",
        "content": {
            "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } },
        },
    })
}

fn timeout_parameter() -> Value {
    json!({
        "name": "X-Timeout-Ms",
        "in": "header",
        "description": "How long the call may take; 10000 unless said.",
        "schema": { "type": "integer", "minimum": 1 },
    })
}

/// The paths that are no procedures.
fn listings() -> impl Iterator<Item = (String, Value)> {
    let name = json!({
        "name": "service", "in": "path", "required": true, "schema": { "type": "string" },
    });
    let all = [
        ("/v1", "services", "The services there are.", json!([])),
        (
            "/v1/{service}",
            "service",
            "What one service can do.",
            json!([name]),
        ),
        ("/openapi.json", "document", "This document.", json!([])),
    ];
    all.into_iter().map(|(path, id, summary, parameters)| {
        let operation = json!({
            "operationId": id,
            "summary": summary,
            "parameters": parameters,
            "responses": responses("The answer.", "application/json", json!({ "type": "object" })),
        });
        (path.to_owned(), json!({ "get": operation }))
    })
}

/// What an operation answers; the statuses that its caller should know of are named.
fn responses(about: &str, media: &str, schema: Value) -> Value {
    let problem = json!({ "$ref": "#/components/responses/Problem" });
    let mut all = json!({
        "200": { "description": about, "content": { media: { "schema": schema } } },
        "default": problem,
    });
    for status in ["401", "403", "404", "429", "503", "504"] {
        all[status] = problem.clone();
    }
    all
}

fn operation(
    service: &str,
    procedure: &ProcedureDescription,
    schemas: &mut Map<String, Value>,
) -> Value {
    let name = format!("{service}.{}", procedure.name);
    let arguments = hoist(&procedure.arguments, &format!("{name}.arguments"), schemas);
    let result = hoist(&procedure.result, &format!("{name}.result"), schemas);
    let media = if procedure.stream {
        "text/event-stream"
    } else {
        "application/json"
    };
    let about = if procedure.stream {
        "A stream: one event an item, then `end` or `error`."
    } else {
        "The result."
    };
    json!({
        "operationId": name,
        "tags": [service],
        "summary": procedure.about.lines().next().unwrap_or_default().trim(),
        "description": procedure.about,
        "x-orrery-id": procedure.id,
        "x-orrery-access": procedure.access,
        "x-orrery-stream": procedure.stream,
        "parameters": [{ "$ref": "#/components/parameters/Timeout" }],
        "requestBody": { "content": { "application/json": { "schema": arguments } } },
        "responses": responses(about, media, result),
    })
}

/// A schema whose definitions stand among the document's, each under a name of its own.
fn hoist(schema: &str, name: &str, schemas: &mut Map<String, Value>) -> Value {
    let mut schema: Value = serde_json::from_str(schema).unwrap_or_else(|_| json!({}));
    if let Some(object) = schema.as_object_mut() {
        object.remove("$schema");
        if let Some(Value::Object(definitions)) = object.remove("$defs") {
            for (definition, mut value) in definitions {
                point_to(&mut value, name);
                schemas.insert(format!("{name}.{definition}"), value);
            }
        }
    }
    point_to(&mut schema, name);
    schemas.insert(name.to_owned(), schema);
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn point_to(value: &mut Value, name: &str) {
    match value {
        Value::Object(object) => {
            for (key, inner) in object.iter_mut() {
                let reference = inner.as_str().filter(|_| key == "$ref");
                let definition = reference.and_then(|r| r.strip_prefix("#/$defs/"));
                match definition {
                    Some(definition) => {
                        *inner = json!(format!("#/components/schemas/{name}.{definition}"));
                    }
                    None => point_to(inner, name),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|inner| point_to(inner, name)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn procedure(name: &str, arguments: &str) -> ProcedureDescription {
        ProcedureDescription {
            id: 9_001,
            name: name.to_owned(),
            about: "About it.\nAt length.".to_owned(),
            access: "read".to_owned(),
            stream: name == "watch",
            arguments: arguments.to_owned(),
            result: "true".to_owned(),
        }
    }

    /// Two services of one program, one with definitions of the same name: nothing is mixed up.
    #[test]
    fn each_service_has_its_names_and_each_schema_its_definitions() {
        let node = r##"{"$ref":"#/$defs/Node","$defs":{"Node":{"properties":{
            "next":{"anyOf":[{"$ref":"#/$defs/Node"},{"type":"null"}]}}}}}"##;
        let procedures = vec![
            procedure("get", node),
            procedure("watch", "no schema"),
            procedure("no name", "{}"),
        ];
        let description = Arc::new(Description {
            name: "both".to_owned(),
            version: "1".to_owned(),
            procedures,
        });
        let services = [("a", Arc::clone(&description)), ("b", description)];
        let document = document(&services, "1");
        let paths = document["paths"].as_object().unwrap();
        let calls: Vec<_> = paths
            .keys()
            .filter(|path| path.matches('/').count() == 3)
            .collect();
        assert_eq!(
            calls,
            ["/v1/a/get", "/v1/a/watch", "/v1/b/get", "/v1/b/watch"]
        );
        let schemas = &document["components"]["schemas"];
        for service in ["a", "b"] {
            let definition = format!("{service}.get.arguments.Node");
            let reference = json!(format!("#/components/schemas/{definition}"));
            assert_eq!(
                schemas[format!("{service}.get.arguments")]["$ref"],
                reference
            );
            let next = &schemas[definition]["properties"]["next"]["anyOf"][0];
            assert_eq!(next["$ref"], reference);
        }
        let watch = &document["paths"]["/v1/a/watch"]["post"];
        assert!(watch["responses"]["200"]["content"]["text/event-stream"].is_object());
        assert_eq!(watch["summary"], "About it.");
        assert_eq!(schemas["a.watch.arguments"], json!({}));
        assert_eq!(schemas["a.watch.result"], json!(true));
    }
}
