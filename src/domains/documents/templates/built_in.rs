//! The templates every facility has.

use std::sync::OnceLock;

use serde::Deserialize;
use uuid::Uuid;

use super::definition::Field;
use super::model::Template;
use crate::domains::documents::model::DocumentKind;
use crate::ids::{NoteTemplateId, TypedId as _};

const FORMS: &str = include_str!("../../../../data/note-templates/built_in.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    id: Uuid,
    number: i32,
    name: String,
    kind: DocumentKind,
    fields: Vec<Field>,
}

/// All of them, in every version there was.
pub(super) fn all() -> &'static [Template] {
    static ALL: OnceLock<Vec<Template>> = OnceLock::new();
    ALL.get_or_init(|| {
        // A test reads the file: it is part of the program and cannot be malformed at run time.
        let forms: Vec<Form> = serde_json::from_str(FORMS).unwrap_or_default();
        let template = |form: Form| Template {
            id: NoteTemplateId::from_uuid(form.id),
            number: form.number,
            name: form.name,
            kind: form.kind,
            fields: form.fields,
            built_in: true,
            archived_at: None,
        };
        forms.into_iter().map(template).collect()
    })
}

/// One version of one of them.
pub(super) fn find(id: NoteTemplateId, number: Option<i32>) -> Option<&'static Template> {
    let mut versions = all().iter().filter(|template| template.id == id);
    match number {
        Some(number) => versions.find(|template| template.number == number),
        None => versions.max_by_key(|template| template.number),
    }
}
