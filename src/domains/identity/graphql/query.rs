//! Queries of the domain.

use async_graphql::{Context, Object};

use super::types::{User, UserSession, UserSessionConnection, Viewer};
use crate::domains::identity::service;
use crate::error::{Error, Result};
use crate::graphql::request::request;
use crate::ids::{TypedId as _, UserId};
use crate::pagination::PageRequest;

#[derive(Debug, Default)]
pub struct IdentityQuery;

#[Object]
impl IdentityQuery {
    /// Whoever is signed in. Needs `identity.viewer`, which every signed-in user has.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        Ok(service::viewer(request(ctx)?).await?.into())
    }

    /// One's own sessions that still run, newest first. Needs `identity.viewer`.
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Sessions to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<UserSessionConnection> {
        let request = request(ctx)?;
        let page = PageRequest::parse(first, after.as_deref())?;
        let found = service::list_sessions(request, page).await?.map(UserSession::from);
        let total = if ctx.look_ahead().field("totalCount").exists() {
            Some(service::count_sessions(request).await?)
        } else {
            None
        };
        Ok(UserSessionConnection::new(found, page.after.is_some(), total, |session| session.id.encode()))
    }

    /// One account: one's own, or of someone who works or worked in the same facility; null when there is none
    /// the caller may see. Needs `identity.users.read`, which every signed-in user has.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the account.")] id: UserId,
    ) -> Result<Option<User>> {
        match service::user(request(ctx)?, id).await {
            Ok(user) => Ok(Some(user.into())),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
