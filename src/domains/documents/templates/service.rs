//! The templates of a facility: offered, made, changed, taken out of use.

use serde_json::json;

use super::model::{CreateTemplate, FormRow, NewTemplate, Template};
use super::repository::VersionedRow;
use super::{built_in, definition, repository};
use crate::access::{Once, RequestContext, Subject, Tx};
use crate::domains::documents::model::{DocumentKind, Refusal};
use crate::domains::documents::policy;
use crate::error::{Error, Result, Stop};
use crate::ids::{NoteTemplateId, new_id};

/// More are not chosen from.
const MAX_TEMPLATES: i64 = 200;

impl TryFrom<VersionedRow> for Template {
    type Error = Error;

    fn try_from(row: VersionedRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            number: row.number,
            name: row.name,
            kind: row.kind,
            fields: serde_json::from_value(row.fields)?,
            built_in: false,
            archived_at: row.archived_at,
        })
    }
}

/// Templates to choose from in their current versions, the built-in ones first.
///
/// # Errors
/// A denial, or a fault.
pub async fn list_templates(ctx: &RequestContext, archived: bool) -> Result<Vec<Template>> {
    let read = ctx.read(&policy::TEMPLATE_READ).await?;
    let newest =
        |template: &&Template| built_in::find(template.id, None).map(|last| last.number) == Some(template.number);
    let mut templates: Vec<Template> = built_in::all().iter().filter(newest).cloned().collect();
    for row in repository::list(read.db()?, ctx.facility(), archived).await? {
        templates.push(row.try_into()?);
    }
    Ok(templates)
}

/// One template in its current version.
///
/// # Errors
/// [`Error::NotFound`] when the facility has none such.
pub async fn template(ctx: &RequestContext, id: NoteTemplateId) -> Result<Template> {
    let read = ctx.read(&policy::TEMPLATE_READ).await?;
    if let Some(found) = built_in::find(id, None) {
        return Ok(found.clone());
    }
    let row = repository::find(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
    let found = repository::versions(read.db()?, ctx.facility(), &[id], &[row.version]).await?.pop();
    found.ok_or(Error::NotFound)?.try_into()
}

/// Templates in the versions named, those there are.
///
/// # Errors
/// A denial, or a fault.
pub async fn versions_of(ctx: &RequestContext, wanted: &[(NoteTemplateId, i32)]) -> Result<Vec<Template>> {
    let read = ctx.read(&policy::TEMPLATE_READ).await?;
    let mut found: Vec<Template> =
        wanted.iter().filter_map(|(id, number)| built_in::find(*id, Some(*number)).cloned()).collect();
    let own = wanted.iter().filter(|(id, _)| built_in::find(*id, None).is_none());
    let (ids, numbers): (Vec<_>, Vec<_>) = own.copied().unzip();
    if !ids.is_empty() {
        for row in repository::versions(read.db()?, ctx.facility(), &ids, &numbers).await? {
            found.push(row.try_into()?);
        }
    }
    Ok(found)
}

/// One version of a template, in a transaction.
pub(super) async fn in_version(tx: &Tx, id: NoteTemplateId, number: i32) -> Result<Template> {
    if let Some(found) = built_in::find(id, Some(number)) {
        return Ok(found.clone());
    }
    let found = repository::versions(tx.db()?, tx.ctx().facility(), &[id], &[number]).await?.pop();
    found.ok_or(Error::NotFound)?.try_into()
}

/// The template to begin a note with, in a transaction.
pub(super) async fn offered(tx: &Tx, id: NoteTemplateId) -> Result<Template, Stop<Refusal>> {
    let archived = || Stop::refuse(Refusal::Archived, &["input", "templateId"], "the template is out of use");
    if let Some(found) = built_in::find(id, None) {
        return Ok(found.clone());
    }
    let row = repository::find(tx.db()?, tx.ctx().facility(), id).await?.ok_or(Error::NotFound)?;
    if row.archived_at.is_some() {
        return Err(archived());
    }
    Ok(in_version(tx, id, row.version).await?)
}

/// Makes a template.
///
/// # Errors
/// Refused when the form is malformed, or there are too many.
pub async fn create_template(
    ctx: &RequestContext,
    new: CreateTemplate,
    once: Option<Once>,
) -> Result<NoteTemplateId, Stop<Refusal>> {
    ctx.write(&policy::TEMPLATE_MANAGE)
        .once(once)
        .run(|tx| async move {
            let (facility, now) = (tx.ctx().facility(), tx.ctx().now());
            definition::check_form(&new.name, &new.fields)?;
            if new.kind == DocumentKind::PsychotherapyNote {
                let message = "psychotherapy notes have no form: they are a therapist's own";
                return Err(Stop::refuse(Refusal::KeptApart, &["input", "kind"], message));
            }
            if repository::count(tx.db()?, facility).await? >= MAX_TEMPLATES {
                let message = "the facility has as many templates as it may have: archive one";
                return Err(Stop::refuse(Refusal::Invalid, &["input"], message));
            }
            let id: NoteTemplateId = new_id();
            let row = NewTemplate { facility_id: facility, id, kind: new.kind, created_at: now, updated_at: now };
            repository::insert(tx.db()?, row).await?;
            keep_form(&tx, id, 1, new.name, &new.fields).await?;
            tx.audit(Subject::of(id), json!({ "number": 1 }));
            Ok(id)
        })
        .await
}

/// Makes the next version of a template. Notes that were made of an earlier one keep it.
///
/// # Errors
/// Refused when the form is malformed, the version is stale, or the template is built in or archived.
pub async fn update_template(
    ctx: &RequestContext,
    id: NoteTemplateId,
    expected_version: i32,
    name: String,
    fields: Vec<definition::Field>,
    once: Option<Once>,
) -> Result<NoteTemplateId, Stop<Refusal>> {
    ctx.write(&policy::TEMPLATE_MANAGE)
        .once(once)
        .run(|tx| async move {
            definition::check_form(&name, &fields)?;
            own(&tx, id).await?;
            if !repository::raise(tx.db()?, tx.ctx().facility(), id, expected_version, tx.ctx().now()).await? {
                return Err(stale());
            }
            keep_form(&tx, id, expected_version + 1, name, &fields).await?;
            tx.audit(Subject::of(id), json!({ "number": expected_version + 1 }));
            Ok(id)
        })
        .await
}

/// Takes a template out of use: it is offered no more, and notes made of it keep it.
///
/// # Errors
/// Refused when the version is stale, or the template is built in or archived already.
pub async fn archive_template(
    ctx: &RequestContext,
    id: NoteTemplateId,
    expected_version: i32,
    once: Option<Once>,
) -> Result<NoteTemplateId, Stop<Refusal>> {
    ctx.write(&policy::TEMPLATE_MANAGE)
        .once(once)
        .run(|tx| async move {
            own(&tx, id).await?;
            if !repository::archive(tx.db()?, tx.ctx().facility(), id, expected_version, tx.ctx().now()).await? {
                return Err(stale());
            }
            tx.audit(Subject::of(id), json!({ "archived": true }));
            Ok(id)
        })
        .await
}

/// A template of the facility's own, in use.
async fn own(tx: &Tx, id: NoteTemplateId) -> Result<(), Stop<Refusal>> {
    if built_in::find(id, None).is_some() {
        let message = "the template comes with the product: make one of your own";
        return Err(Stop::refuse(Refusal::BuiltIn, &["input", "id"], message));
    }
    let row = repository::find(tx.db()?, tx.ctx().facility(), id).await?.ok_or(Error::NotFound)?;
    if row.archived_at.is_some() {
        return Err(Stop::refuse(Refusal::Archived, &["input", "id"], "the template is out of use"));
    }
    Ok(())
}

async fn keep_form(tx: &Tx, id: NoteTemplateId, number: i32, name: String, fields: &[definition::Field]) -> Result<()> {
    let form = FormRow {
        facility_id: tx.ctx().facility(),
        template_id: id,
        number,
        name,
        fields: serde_json::to_value(fields)?,
        author_id: tx.ctx().user().ok(),
        created_at: tx.ctx().now(),
    };
    repository::insert_form(tx.db()?, form).await
}

fn stale() -> Stop<Refusal> {
    Stop::refuse(Refusal::StaleVersion, &["input", "expectedVersion"], "the template changed since it was read")
}
