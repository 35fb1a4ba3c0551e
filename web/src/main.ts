// The page: one sentence, its run, and what is shown of it.
import { App } from "./app";
import { PageEngine } from "./page_engine";

void new App(PageEngine.of()).begin();
