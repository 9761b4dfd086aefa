//! The vocabulary: defines every closed set once. Pure; imports no other module of the project.
//!
//! A closed set is an enum with one spelling per variant, in snake case, which the database, the API, the command line,
//! metrics and logs share. Rows contain these types (`sqlx.toml` names the columns), and matches have no catch-all arm,
//! so the compiler finds every match that a new variant affects. The rest is a migration of the CHECK constraint, which
//! a test compares with the enum, and, for an end, its rank in `session::lifecycle`.

pub mod access;
pub mod close_rule;
pub(crate) mod duration;
pub mod event;
pub(crate) mod filter;
pub(crate) mod parameter;
pub mod polling;
pub(crate) mod rejection;
pub mod report;
pub mod session;
pub mod webhook;

use std::str::FromStr;

/// An enum whose variants each have one spelling.
pub trait ClosedSet: Copy + FromStr<Err = strum::ParseError> + Send + Sync + 'static {
    /// All variants, in the order of the API document.
    const ALL: &'static [Self];

    fn as_str(self) -> &'static str;
}

/// Declares a [`ClosedSet`] whose text the database, JSON and the API document share.
macro_rules! closed_set {
    (
        $(#[doc = $doc:literal])*
        $(#[schema(as = $schema:ident)])?
        $(#[derive($derive:ident)])?
        pub enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident $(= $spelling:literal)?),+ $(,)? }
    ) => {
        $(#[doc = $doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, strum::EnumString, strum::IntoStaticStr,
            serde::Serialize, serde::Deserialize, $($derive)?
        )]
        #[strum(serialize_all = "snake_case")]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_meta])* $(#[strum(serialize = $spelling)] #[serde(rename = $spelling)])? $variant),+
        }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub fn as_str(self) -> &'static str {
                self.into()
            }
        }

        impl $crate::model::ClosedSet for $name {
            const ALL: &'static [Self] = Self::ALL;

            fn as_str(self) -> &'static str {
                self.into()
            }
        }

        impl $crate::model::parameter::Parameter for $name {
            fn expected() -> String {
                let words: Vec<_> = Self::ALL.iter().map(|variant| variant.as_str()).collect();
                $crate::model::parameter::one_of(&words)
            }

            fn read(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }

        impl utoipa::ToSchema for $name {
            $(fn name() -> std::borrow::Cow<'static, str> {
                stringify!($schema).into()
            })?
        }

        // Not derived, because a derived schema cannot have an empty value.
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                let description: Vec<&str> = [$($doc),*].into_iter().map(str::trim).collect();
                let words = Self::ALL.iter().map(|variant| variant.as_str());
                let schema = utoipa::openapi::Object::builder().schema_type(utoipa::openapi::schema::Type::String);
                schema.description(Some(description.join("\n"))).enum_values(Some(words)).into()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl sqlx::Type<sqlx::Postgres> for $name {
            fn type_info() -> sqlx::postgres::PgTypeInfo {
                <&str as sqlx::Type<sqlx::Postgres>>::type_info()
            }

            fn compatible(column: &sqlx::postgres::PgTypeInfo) -> bool {
                <&str as sqlx::Type<sqlx::Postgres>>::compatible(column)
            }
        }

        impl sqlx::postgres::PgHasArrayType for $name {
            fn array_type_info() -> sqlx::postgres::PgTypeInfo {
                <&str as sqlx::postgres::PgHasArrayType>::array_type_info()
            }
        }

        impl sqlx::Encode<'_, sqlx::Postgres> for $name {
            fn encode_by_ref(
                &self,
                buffer: &mut sqlx::postgres::PgArgumentBuffer,
            ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                sqlx::Encode::<sqlx::Postgres>::encode_by_ref(&self.as_str(), buffer)
            }
        }

        impl<'r> sqlx::Decode<'r, sqlx::Postgres> for $name {
            fn decode(value: sqlx::postgres::PgValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
                Ok(<&str as sqlx::Decode<sqlx::Postgres>>::decode(value)?.parse()?)
            }
        }
    };
}
pub(crate) use closed_set;
