// The pages of numbers, which are loaded together: one application, all of them, and what arrives.
export { All } from "./all";
export { Live } from "./live";
export { Statistics } from "./statistics";
