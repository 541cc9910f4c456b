//! The contract with clients: `schema.graphql` is current, and everything in it is described.

use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};
use async_graphql::parser::{Positioned, parse_schema};

#[test]
fn schema_graphql_is_current() {
    super::compare_or_update("schema.graphql", &anamnesis::graphql::sdl());
}

#[test]
fn env_example_is_current() {
    super::compare_or_update(".env.example", &anamnesis::config::example());
}

fn described(description: Option<&Positioned<String>>) -> bool {
    description.is_some_and(|text| !text.node.trim().is_empty())
}

#[test]
fn everything_is_described() {
    let document = parse_schema(anamnesis::graphql::sdl()).unwrap();
    let mut missing = Vec::new();
    for definition in document.definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let definition = definition.node;
        let name = definition.name.node.to_string();
        // The roots are described by their fields.
        if !described(definition.description.as_ref()) && name != "Query" && name != "Mutation" {
            missing.push(name.clone());
        }
        match definition.kind {
            TypeKind::Object(object) => fields(&name, object.fields, &mut missing),
            TypeKind::Interface(interface) => fields(&name, interface.fields, &mut missing),
            TypeKind::InputObject(input) => {
                for field in input.fields {
                    if !described(field.node.description.as_ref()) {
                        missing.push(format!("{name}.{}", field.node.name.node));
                    }
                }
            }
            TypeKind::Enum(_) | TypeKind::Scalar | TypeKind::Union(_) => {}
        }
    }
    assert!(missing.is_empty(), "without a description:\n{}", missing.join("\n"));
}

fn fields(
    name: &str,
    fields: Vec<Positioned<async_graphql::parser::types::FieldDefinition>>,
    missing: &mut Vec<String>,
) {
    for field in fields {
        let field = field.node;
        if !described(field.description.as_ref()) {
            missing.push(format!("{name}.{}", field.name.node));
        }
        for argument in field.arguments {
            if !described(argument.node.description.as_ref()) {
                missing.push(format!("{name}.{}({})", field.name.node, argument.node.name.node));
            }
        }
    }
}
