//! Rules that hold for everything, generated over the schema and the catalogue: what a later domain adds
//! falls under them without being asked.
