//! Pure rules of what comes from and goes to people outside.
