//! Limits of an operation, measured on the parsed document before anything is validated or asked of the
//! database, and reported in the response's `extensions`.
//!
//! Cost: one for each field; what a field with `first` or `ids` returns counts as often as it may return it. The
//! rule reads the schema, so a connection added later falls under it without being told.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextParseQuery, NextRequest};
use async_graphql::parser::types::{ExecutableDocument, Field, OperationType, Selection, SelectionSet};
use async_graphql::registry::Registry;
use async_graphql::{Name, Positioned, Response, ServerError, ServerResult, Value, Variables};

use crate::config::Config;
use crate::error::Error;
use crate::pagination::{DEFAULT_PAGE, MAX_PAGE};

/// What an operation may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub depth: usize,
    pub complexity: usize,
    pub aliases: usize,
    pub list: usize,
}

impl Limits {
    #[must_use]
    pub const fn of(config: &Config) -> Self {
        Self {
            depth: config.max_depth,
            complexity: config.max_complexity,
            aliases: config.max_aliases,
            list: config.max_list,
        }
    }
}

impl ExtensionFactory for Limits {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Measuring { limits: *self, measured: Mutex::new(None) })
    }
}

/// What an operation is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Measured {
    depth: usize,
    complexity: usize,
    aliases: usize,
}

struct Measuring {
    limits: Limits,
    measured: Mutex<Option<Measured>>,
}

#[async_graphql::async_trait::async_trait]
impl Extension for Measuring {
    async fn request(&self, ctx: &ExtensionContext<'_>, next: NextRequest<'_>) -> Response {
        let response = next.run(ctx).await;
        let measured = *self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        match measured {
            Some(measured) => response.extension("cost", self.report(measured)),
            None => response,
        }
    }

    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let document = next.run(ctx, query, variables).await?;
        let measured = self.measure(&ctx.schema_env.registry, &document, variables)?;
        *self.measured.lock().unwrap_or_else(PoisonError::into_inner) = Some(measured);
        Ok(document)
    }
}

impl Measuring {
    fn report(&self, measured: Measured) -> Value {
        let pair = |is: usize, most: usize| {
            let (is, most) = (u64::try_from(is).unwrap_or(u64::MAX), u64::try_from(most).unwrap_or(u64::MAX));
            async_graphql::value!({ "is": is, "most": most })
        };
        let limits = &self.limits;
        async_graphql::value!({
            "depth": (pair(measured.depth, limits.depth)),
            "complexity": (pair(measured.complexity, limits.complexity)),
            "aliases": (pair(measured.aliases, limits.aliases)),
        })
    }

    fn measure(
        &self,
        registry: &Registry,
        document: &ExecutableDocument,
        variables: &Variables,
    ) -> ServerResult<Measured> {
        for value in variables.values() {
            check_lists(value, self.limits.list)?;
        }
        let mut most = Measured::default();
        for (_, operation) in document.operations.iter() {
            let root = match operation.node.ty {
                OperationType::Query => Some(registry.query_type.as_str()),
                OperationType::Mutation => registry.mutation_type.as_deref(),
                OperationType::Subscription => registry.subscription_type.as_deref(),
            };
            let walk = Walk { limits: &self.limits, registry, document, variables };
            let mut measured = Measured::default();
            measured.complexity = walk.set(&operation.node.selection_set.node, root, 1, &mut measured)?;
            most.depth = most.depth.max(measured.depth);
            most.complexity = most.complexity.max(measured.complexity);
            most.aliases = most.aliases.max(measured.aliases);
        }
        for (is, limit, what) in [
            (most.depth, self.limits.depth, "deeper"),
            (most.complexity, self.limits.complexity, "more complex"),
            (most.aliases, self.limits.aliases, "more aliased"),
        ] {
            if is > limit {
                return Err(exceeded(format!("the operation is {what} than allowed: {is}, at most {limit}")));
            }
        }
        Ok(most)
    }
}

/// Refuses a value with a longer list anywhere in it.
fn check_lists(value: &Value, most: usize) -> ServerResult<()> {
    match value {
        Value::List(items) => {
            check_list(items.len(), most)?;
            items.iter().try_for_each(|item| check_lists(item, most))
        }
        Value::Object(fields) => fields.values().try_for_each(|field| check_lists(field, most)),
        _ => Ok(()),
    }
}

fn check_list(length: usize, most: usize) -> ServerResult<()> {
    if length > most {
        return Err(exceeded(format!("a list has {length} values, at most {most} are allowed")));
    }
    Ok(())
}

fn exceeded(message: String) -> ServerError {
    let mut error = ServerError::new(message.clone(), None);
    error.source = Some(Arc::new(Error::Limit(message.into())));
    error
}

/// One pass over an operation. Fragments are walked where they are spread; the depth limit ends a cycle.
struct Walk<'a> {
    limits: &'a Limits,
    registry: &'a Registry,
    document: &'a ExecutableDocument,
    variables: &'a Variables,
}

impl Walk<'_> {
    /// Cost of a selection on a type, at a depth. The type is unknown below a field that does not exist:
    /// validation refuses that afterwards.
    fn set(
        &self,
        set: &SelectionSet,
        parent: Option<&str>,
        depth: usize,
        measured: &mut Measured,
    ) -> ServerResult<usize> {
        let mut cost = 0_usize;
        for selection in &set.items {
            let one = match &selection.node {
                Selection::Field(field) => self.field(field, parent, depth, measured)?,
                Selection::InlineFragment(fragment) => {
                    let on = fragment.node.type_condition.as_ref().map(|condition| condition.node.on.node.as_str());
                    self.set(&fragment.node.selection_set.node, on.or(parent), depth + 1, measured)?
                }
                Selection::FragmentSpread(spread) => match self.document.fragments.get(&spread.node.fragment_name.node)
                {
                    Some(fragment) => {
                        let on = fragment.node.type_condition.node.on.node.as_str();
                        self.set(&fragment.node.selection_set.node, Some(on), depth + 1, measured)?
                    }
                    None => 0,
                },
            };
            cost = cost.saturating_add(one);
            if cost > self.limits.complexity {
                return Err(exceeded(format!(
                    "the operation is more complex than allowed: at most {}",
                    self.limits.complexity
                )));
            }
        }
        Ok(cost)
    }

    fn field(
        &self,
        field: &Positioned<Field>,
        parent: Option<&str>,
        depth: usize,
        measured: &mut Measured,
    ) -> ServerResult<usize> {
        let field = &field.node;
        // Introspection is opened or closed as a whole, and is deep by nature.
        if field.name.node.starts_with("__") {
            return Ok(0);
        }
        if depth > self.limits.depth {
            return Err(exceeded(format!("the operation is deeper than allowed: at most {}", self.limits.depth)));
        }
        measured.depth = measured.depth.max(depth);
        measured.aliases += usize::from(field.alias.is_some());
        let arguments = self.arguments(field);
        for (_, value) in &arguments {
            check_lists(value, self.limits.list)?;
        }
        let known =
            parent.and_then(|name| self.registry.types.get(name)).and_then(|kind| kind.field_by_name(&field.name.node));
        let inside = known.map(|known| async_graphql::registry::MetaTypeName::concrete_typename(&known.ty));
        let times = match known {
            Some(known) if known.args.contains_key("first") => first(&arguments),
            Some(known) if known.args.contains_key("ids") => listed(&arguments),
            _ => 1,
        };
        let children = self.set(&field.selection_set.node, inside, depth + 1, measured)?;
        Ok(children.saturating_mul(times).saturating_add(1))
    }

    /// Arguments as they will be, variables put in. A variable that is missing is for validation to refuse.
    fn arguments(&self, field: &Field) -> Vec<(Name, Value)> {
        let put_in = |name: Name| Ok::<_, ()>(self.variables.get(&name).cloned().unwrap_or_default());
        field
            .arguments
            .iter()
            .map(|(name, value)| (name.node.clone(), value.node.clone().into_const_with(put_in).unwrap_or_default()))
            .collect()
    }
}

/// How many objects are asked for by their ids.
fn listed(arguments: &[(Name, Value)]) -> usize {
    arguments.iter().find(|(name, _)| name.as_str() == "ids").map_or(1, |(_, value)| match value {
        Value::List(ids) => ids.len().max(1),
        _ => 1,
    })
}

/// How many rows a connection may return: what is asked for, within what a page may be.
fn first(arguments: &[(Name, Value)]) -> usize {
    let page = |number: i32| usize::try_from(number).unwrap_or(1);
    let asked = arguments.iter().find(|(name, _)| name.as_str() == "first").and_then(|(_, value)| match value {
        Value::Number(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
        _ => None,
    });
    asked.unwrap_or(page(DEFAULT_PAGE)).clamp(1, page(MAX_PAGE))
}
