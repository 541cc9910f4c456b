//! Payloads of mutations: the changed object, or what the user can mend.

/// Declares a domain's user error: its code enum, the path into the input, a sentence.
macro_rules! user_error {
    ($(#[doc = $doc:literal])+ $name:ident($code:ty)) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, async_graphql::SimpleObject)]
        pub struct $name {
            /// What is wrong, for programs.
            pub code: $code,
            /// Path into the input, such as `["input", "birthDate"]`; empty when it is about the whole.
            pub field: Vec<String>,
            /// What is wrong, for people. Holds none of the values sent.
            pub message: String,
        }

        impl From<$crate::error::Refused<$code>> for $name {
            fn from(refused: $crate::error::Refused<$code>) -> Self {
                Self {
                    code: refused.code,
                    field: refused.field.into_iter().map(std::borrow::Cow::into_owned).collect(),
                    message: refused.message.into_owned(),
                }
            }
        }
    };
}
pub(crate) use user_error;

/// Declares a payload: one nullable object or more, and `userErrors`.
///
/// `Payload::refused(stop)` turns a [`Stop`](crate::error::Stop) into one, or into an error.
macro_rules! payload {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $field_doc:literal])+ $field:ident: $type:ty,)* } or $error:ident) => {
        $(#[doc = $doc])+
        #[derive(Debug, async_graphql::SimpleObject)]
        pub struct $name {
            $($(#[doc = $field_doc])+ pub $field: Option<$type>,)*
            /// What the user can mend; empty when it was done.
            pub user_errors: Vec<$error>,
        }

        impl $name {
            /// It was done.
            #[must_use]
            pub fn done($($field: $type),*) -> Self {
                Self { $($field: Some($field),)* user_errors: Vec::new() }
            }

            /// It was not done: user errors, or the error itself.
            ///
            /// # Errors
            /// When it was stopped by something the user cannot mend.
            pub fn refused<R>(stop: $crate::error::Stop<R>) -> $crate::error::Result<Self>
            where
                $error: From<$crate::error::Refused<R>>,
            {
                match stop {
                    $crate::error::Stop::Refused(all) => Ok(Self {
                        $($field: None,)*
                        user_errors: all.into_iter().map(Into::into).collect(),
                    }),
                    $crate::error::Stop::Error(error) => Err(error),
                }
            }
        }
    };
}
pub(crate) use payload;
