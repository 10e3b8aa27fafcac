// English, of the page of people: the dictionary that names every word of it.
export const words = {
  came_back: "Who came back, {0}",
  per: "People by the",
  per_day: "Day",
  per_week: "Week",
  per_month: "Month",
  after_day: "{0} day later|{0} days later",
  after_week: "{0} week later|{0} weeks later",
  after_month: "{0} month later|{0} months later",
  as_numbers: "Numbers",
  n_people: "People",
  n_new: "New",
  n_returning: "Back",
  n_churned: "Gone",
  of_cohort: "{0} of {1}",
  grid_about: "Each line has the people who came first in its period, and what share of them was there in each period after it.",
  not_whole: "not a whole period: more may come, and who is gone is not known yet",
  who_counts: "A person is a user_id that the site sends. New: the first time in this period. Gone: there in the period before, and not in this one.",
  nobody_fits: "Nobody whom these filters keep is known",
  nobody: "Nobody is recognised yet",
  nobody_about: "Visitors are counted anew every day. To show who comes back, your site has to say who is signed in:",
  nobody_how: "One line on your pages, with an id of your own and not an address. Only a hash of it, with a secret key, is kept in the statistics. The numbers begin with the day on which it is sent.",
  people_unknown: "Some days were computed before people were known: nobody of them counts. `alt stats rebuild` computes them again.",
  keys_replaced: "The secret key was replaced in this time: who was there before and after counts twice. `alt stats rebuild` computes the days again.",
};
export type Key = keyof typeof words;
export type Words = Record<Key, string>;
