//! Batched look-ups for edges.

use std::collections::HashMap;

use super::model::{Filled, Template};
use super::{notes, service};
use crate::access::RequestContext;
use crate::error::Result;
use crate::graphql::loaders::Loader;
use crate::ids::{DocumentId, NoteTemplateId};

/// Templates by id and number of the version.
#[derive(Debug)]
pub struct TemplateLoader;

impl Loader for TemplateLoader {
    type Key = (NoteTemplateId, i32);
    type Value = Template;

    async fn load(
        ctx: &RequestContext,
        keys: &[(NoteTemplateId, i32)],
    ) -> Result<HashMap<(NoteTemplateId, i32), Template>> {
        let found = service::versions_of(ctx, keys).await?;
        Ok(found.into_iter().map(|template| ((template.id, template.number), template)).collect())
    }
}

/// What is filled in, by note.
#[derive(Debug)]
pub struct FilledLoader;

impl Loader for FilledLoader {
    type Key = DocumentId;
    type Value = Filled;

    async fn load(ctx: &RequestContext, keys: &[DocumentId]) -> Result<HashMap<DocumentId, Filled>> {
        Ok(notes::filled_of(ctx, keys).await?.into_iter().collect())
    }
}
