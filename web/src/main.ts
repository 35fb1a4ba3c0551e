// The page: one sentence, its run, and what is shown of it.
import { App } from "./app";
import { HttpEngine } from "./engine";

void new App(new HttpEngine()).begin();
