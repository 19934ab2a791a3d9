"""PSM in LlamaIndex. Importing this loads no LlamaIndex."""
