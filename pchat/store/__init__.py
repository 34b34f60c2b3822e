"""The store: transaction, sqlite, schema and steps; then the SQL, in modules named by what they store."""
