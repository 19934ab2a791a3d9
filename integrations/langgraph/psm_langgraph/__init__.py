"""PSM in LangGraph. Importing this loads no LangGraph."""
